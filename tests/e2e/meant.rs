//! Slips of the pen in names that only the cluster knows, and in keys of configurations: what was meant is said.

use crate::server::Server;

#[test]
fn a_slip_of_the_pen_is_answered_with_the_name_that_there_is() {
    let server = Server::start();
    server.tool("topics --create --topic payments --partitions 1");
    server.tool_with_input("console-producer --topic payments", "a\n");
    server.tool(
        "console-consumer --topic payments --group billing --from-beginning --max-messages 1",
    );
    for (line, meant) in [
        ("topics --describe --topic paymnets", "'payments'"),
        ("get-offsets --topic paymnets", "'payments'"),
        ("console-consumer --topic paymnets --tail 1", "'payments'"),
        ("consumer-groups --describe --group biling", "'billing'"),
        (
            "consumer-groups --reset-offsets --group billing --topic paymnets --to-earliest --dry-run",
            "'payments'",
        ),
        (
            "configs --alter --entity-type topics --entity-name payments --add-config retention.m=1",
            "retention.ms",
        ),
    ] {
        let output = server.try_tool(line, "");
        let said = String::from_utf8_lossy(&output.stderr);
        let sentence = format!("Did you mean {meant}?\n");
        assert!(said.contains(&sentence), "{line}: {said}");
    }
}
