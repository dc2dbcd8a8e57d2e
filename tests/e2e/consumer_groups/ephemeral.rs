//! The group that `console-consumer` makes for itself.

use std::process::Stdio;

use rustix::process::Signal;

use super::{broker, produce};
use crate::server::{ottla, signal};
use crate::wait;

#[test]
fn a_group_that_the_console_consumer_made_for_itself_stays_empty_until_the_broker_looks_for_expired_offsets()
 {
    let server = broker();
    produce(&server, 3);

    server.tool("console-consumer --topic orders --from-beginning --max-messages 3");

    let listed = server.tool("consumer-groups --list");
    let group = listed.trim_end();
    assert!(group.starts_with("console-consumer-"), "{listed}");
    let state = server.tool(&format!(
        "consumer-groups --describe --state --group {group} --output json"
    ));
    assert!(state.contains("\"Empty\""), "{state}");
}

#[test]
fn it_is_left_whatever_signal_ends_the_consumer_and_whatever_protocol_it_speaks() {
    let server = broker();
    let stable = || server.tool("consumer-groups --list --state=stable");
    for protocol in ["classic", "consumer"] {
        for (ending, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
            let mut child = ottla()
                .args(["console-consumer", "--topic", "orders"])
                .args(["--bootstrap-server", server.address()])
                .args(["--command-property", &format!("group.protocol={protocol}")])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let group = wait::some("its group to be stable", || {
                // Below the head.
                Some(stable().lines().nth(1)?.trim().to_owned())
            });
            assert!(group.starts_with("console-consumer-"), "{group}");
            signal(&child, ending);
            assert_eq!(child.wait().unwrap().code(), Some(status), "{protocol}");
            assert_eq!(stable().lines().nth(1), None, "{protocol}, {status}");
        }
    }
}
