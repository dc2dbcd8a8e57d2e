//! Names that others chose, on their way to a terminal.

use super::{Member, broker, groups, produce, stderr, stdout};

#[test]
fn names_of_groups_members_and_clients_cannot_drive_the_terminal() {
    let server = broker();
    produce(&server, 10);
    let (group, client) = ("g\u{1b}[2J", "client.id=c\u{1b}]0;owned\u{7}");
    let member = Member::join(&server, group, &["--command-property", client]);
    for line in [
        "--list",
        "--list --state --type",
        "--describe --all-groups",
        "--describe --all-groups --members --verbose",
        "--describe --all-groups --state",
        "--describe --all-groups --time-lag",
        "--all-groups --wait-lag 0 --timeout 5s",
        "--all-groups --wait-lag 0 --timeout 0 --topic none",
        "--reset-offsets --all-groups --topic orders --to-earliest --dry-run",
        "--reset-offsets --all-groups --topic orders --to-earliest --dry-run --explain",
        "--reset-offsets --all-groups --topic orders --to-earliest --execute --output json",
        "--delete --all-groups",
        "--delete --all-groups --output json",
        "--delete-offsets --group g\u{1b}[2J --topic orders",
        "--describe --group ghost\u{1b}[2J",
    ] {
        let output = groups(&server, line);
        for said in [stdout(&output), stderr(&output)] {
            let controls = said.chars().filter(|c| c.is_control() && *c != '\n');
            assert_eq!(controls.count(), 0, "{line}: {said:?}");
        }
        let said = stdout(&output) + &stderr(&output);
        assert!(
            said.contains("u{1b}[2J") || said.contains("u001b[2J"),
            "{line}: {said}"
        );
    }
    member.leave();
}
