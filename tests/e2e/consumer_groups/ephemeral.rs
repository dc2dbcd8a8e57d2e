//! The group that `console-consumer` makes for itself.

use std::process::Stdio;

use super::{broker, produce, read};
use crate::server::{ottla, terminate};
use crate::wait;

#[test]
fn a_group_that_the_console_consumer_made_for_itself_is_gone_when_it_ends() {
    let server = broker();
    produce(&server, 3);
    let list = || server.tool("consumer-groups --list");

    server.tool("console-consumer --topic orders --from-beginning --max-messages 3");
    assert_eq!(list(), "");

    // Ended by a signal, too, as it usually is.
    let mut child = ottla()
        .args(["console-consumer", "--topic", "orders"])
        .args(["--bootstrap-server", server.address()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let group = wait::some("its group", || {
        let listed = list();
        listed.starts_with("console-consumer-").then_some(listed)
    });
    wait::until("its group to be stable", || {
        let states = server.tool("consumer-groups --list --state stable");
        states.contains(group.trim())
    });
    terminate(&child);
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(list(), "");

    // A group with a name is somebody's.
    read(&server, "console-consumer-7", 3);
    assert_eq!(list(), "console-consumer-7\n");
}
