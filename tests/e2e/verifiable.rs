//! `verifiable-producer` and `verifiable-consumer` on our broker: what they tell is what happens.

use std::fs::File;
use std::process::{Child, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::requests::create_topic;
use crate::server::{Server, ottla, terminate};
use crate::wait;

/// A tool in the background, and what it tells.
struct Worker {
    child: Child,
    folder: TempDir,
}

impl Worker {
    fn start(server: &Server, line: &str) -> Self {
        let folder = TempDir::new().expect("a directory");
        let out = File::create(folder.path().join("out")).expect("a file");
        let child = ottla()
            .args(line.split_whitespace())
            .args(["--bootstrap-server", server.address()])
            .stdout(out)
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary");
        Self { child, folder }
    }

    fn events(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("out")).unwrap_or_default();
        let whole = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        whole
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    fn of_name(&self, name: &str) -> Vec<Value> {
        let mut events = self.events();
        events.retain(|event| event["name"] == name);
        events
    }

    /// Ends it, and returns the names of the last events and the status.
    fn end(&mut self, last: usize) -> (Vec<String>, Option<i32>) {
        terminate(&self.child);
        let status = wait::some("the tool to end", || self.child.try_wait().unwrap());
        let events = self.events();
        let names = events.iter().filter_map(|event| event["name"].as_str());
        let names: Vec<String> = names.map(str::to_owned).collect();
        (
            names[names.len().saturating_sub(last)..].to_vec(),
            status.code(),
        )
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_producer_that_is_ended_tells_of_every_record_first() {
    let server = Server::start();
    create_topic(server.address(), "numbers", 2);
    let line =
        "verifiable-producer --topic numbers --throughput 200 --repeating-keys 3 --value-prefix 7";
    let mut producer = Worker::start(&server, line);
    wait::until("some records to be acknowledged", || {
        producer.of_name("producer_send_success").len() > 20
    });
    let (names, status) = producer.end(2);
    assert_eq!(names, ["shutdown_complete", "tool_data"]);
    assert_eq!(status, Some(143));
    let told = producer.of_name("producer_send_success");
    let data = producer.of_name("tool_data").remove(0);
    assert_eq!(
        (&data["sent"], &data["acked"]),
        (&told.len().into(), &told.len().into())
    );
    assert_eq!(
        (&told[4]["key"], &told[4]["value"]),
        (&"1".into(), &"7.4".into())
    );
}

#[test]
fn records_that_cannot_be_sent_are_told_with_the_references_class() {
    let server = Server::start();
    let folder = TempDir::new().expect("a directory");
    let file = folder.path().join("properties");
    std::fs::write(&file, "max.request.size=10\n").expect("a file");
    create_topic(server.address(), "numbers", 1);
    let line = format!(
        "verifiable-producer --topic numbers --max-messages 1 --command-config {}",
        file.display()
    );
    let text = server.tool(&line);
    let error: Value = serde_json::from_str(text.lines().nth(1).expect("an event")).expect("JSON");
    assert_eq!(error["name"], "producer_send_error");
    let class = "class org.apache.kafka.common.errors.RecordTooLargeException";
    assert_eq!(error["exception"], class);
}

/// It gave up at the first answer that did not know the topic yet, as it gives up on records.
#[test]
fn a_topic_that_the_first_record_makes_takes_it() {
    let server = Server::start();
    let text = server.tool("verifiable-producer --topic new --max-messages 2");
    let sent = text.matches("producer_send_success").count();
    assert_eq!(sent, 2, "{text}");
}

#[test]
fn two_consumers_share_the_partitions_and_tell_what_they_read_and_commit() {
    let server = Server::with(&["--override", "group.initial.rebalance.delay.ms=0"], &[]);
    create_topic(server.address(), "numbers", 2);
    let line = "verifiable-consumer --topic numbers --group-id readers --verbose";
    let mut first = Worker::start(&server, line);
    wait::until("the first to have both partitions", || {
        let assigned = first.of_name("partitions_assigned");
        assigned.last().is_some_and(|event| {
            event["partitions"]
                .as_array()
                .is_some_and(|list| list.len() == 2)
        })
    });
    let second = Worker::start(&server, line);
    wait::until("the second to have one", || {
        let assigned = second.of_name("partitions_assigned");
        assigned.last().is_some_and(|event| {
            event["partitions"]
                .as_array()
                .is_some_and(|list| list.len() == 1)
        })
    });
    server.tool("producer-perf-test --topic numbers --num-records 50 --payload-monotonic --throughput -1 --command-property batch.size=100");
    let values = |workers: &[&Worker]| {
        let records = workers
            .iter()
            .flat_map(|worker| worker.of_name("record_data"));
        let mut values: Vec<i64> = records
            .filter_map(|record| record["value"].as_str()?.parse().ok())
            .collect();
        values.sort_unstable();
        values
    };
    wait::until("all to be read", || values(&[&first, &second]).len() == 50);
    assert_eq!(values(&[&first, &second]), (0..50).collect::<Vec<_>>());
    wait::until("all to be committed", || {
        let described = server.tool("consumer-groups --describe --group readers --output json");
        let described: Value = serde_json::from_str(&described).expect("JSON");
        described.to_string().matches("\"lag\":0").count() == 2
    });
    let (names, status) = first.end(3);
    assert_eq!(
        names,
        [
            "shutdown_requested",
            "partitions_revoked",
            "shutdown_complete"
        ]
    );
    assert_eq!(status, Some(143));
}
