//! The group that `console-consumer` makes for itself.

use std::process::Stdio;

use rustix::process::Signal;

use super::{broker, produce, read};
use crate::server::{ottla, signal};
use crate::wait;

#[test]
fn a_group_that_the_console_consumer_made_for_itself_is_gone_when_it_ends() {
    let server = broker();
    produce(&server, 3);
    let list = || server.tool("consumer-groups --list");

    server.tool("console-consumer --topic orders --from-beginning --max-messages 3");
    assert_eq!(list(), "");

    // A group with a name is somebody's.
    read(&server, "console-consumer-7", 3);
    assert_eq!(list(), "console-consumer-7\n");
}

#[test]
fn it_is_gone_whatever_signal_ends_the_consumer_and_whatever_protocol_it_speaks() {
    let server = broker();
    let list = || server.tool("consumer-groups --list");
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
                let listed = server.tool("consumer-groups --list --state=stable");
                // Below the head.
                Some(listed.lines().nth(1)?.trim().to_owned())
            });
            assert!(group.starts_with("console-consumer-"), "{group}");
            signal(&child, ending);
            assert_eq!(child.wait().unwrap().code(), Some(status), "{protocol}");
            assert_eq!(list(), "", "{protocol}, {status}");
        }
    }
}
