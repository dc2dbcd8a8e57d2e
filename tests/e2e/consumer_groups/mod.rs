//! `consumer-groups` beyond the reference, which the transcripts cover: explaining, undoing, watching, waiting, JSON; and
//! what becomes of the group that `console-consumer` makes for itself.

use std::process::{Child, Output, Stdio};

use serde_json::Value;

use crate::server::{Server, ottla, terminate};
use crate::wait;

mod ephemeral;
mod explain;
mod foreign;
mod from_file;
mod json;
mod refused;
mod time_lag;
mod undo;
mod wait_lag;
mod watch;

/// A broker with one topic of one partition, `orders`.
fn broker() -> Server {
    let server = Server::with(
        &[
            "--override",
            // A new group needs not wait here for further members.
            "group.initial.rebalance.delay.ms=0",
            "log.retention.check.interval.ms=100",
        ],
        &[],
    );
    server.tool("topics --create --topic orders --partitions 1 --config retention.ms=86400000");
    server
}

fn produce(server: &Server, count: usize) {
    let lines: String = (0..count).map(|n| format!("{n}\n")).collect();
    server.tool_with_input("console-producer --topic orders", &lines);
}

/// A group reads so many of the records that it has not read yet, and is gone.
fn read(server: &Server, group: &str, count: usize) {
    server.tool(&format!(
        "console-consumer --topic orders --group {group} --from-beginning --max-messages {count}"
    ));
}

/// A member that stays.
struct Member(Child);

impl Member {
    fn join(server: &Server, group: &str, more: &[&str]) -> Self {
        let child = ottla()
            .args(["console-consumer", "--topic", "orders", "--from-beginning"])
            .args(["--bootstrap-server", server.address(), "--group", group])
            .args(["--command-property", "auto.commit.interval.ms=100"])
            .args(more)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let member = Self(child);
        wait::until("the member to be there", || {
            let group = &described(server, group)["groups"][0];
            group["state"] == "Stable" && group["members"][0]["assignment"] != Value::Array(vec![])
        });
        member
    }

    /// In good order, so that the group knows at once.
    fn leave(mut self) {
        terminate(&self.0);
        self.0.wait().unwrap();
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn groups(server: &Server, line: &str) -> Output {
    server.try_tool(&format!("consumer-groups {line}"), "")
}

/// Null while the group does not exist.
fn described(server: &Server, group: &str) -> Value {
    let output = groups(server, &format!("--describe --group {group} --output json"));
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// Where a group is in the only partition.
fn offset(server: &Server, group: &str) -> Value {
    described(server, group)["groups"][0]["offsets"][0]["currentOffset"].take()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn parsed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}\n{}", stdout(output), stderr(output)))
}
