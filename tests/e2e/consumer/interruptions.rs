//! Members that are stopped in the middle of what they do, and brokers that come back.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use rustix::process::Signal;

use crate::server::{ottla, signal};
use crate::wait;

use super::*;

/// Longer than a test waits.
const HOURS: &str = "10000000";

#[test]
fn a_process_that_sleeps_past_its_session_comes_back_and_what_it_commits_late_is_refused() {
    sleeps(&[
        ("session.timeout.ms", "2500"),
        ("heartbeat.interval.ms", "100"),
    ]);
}

#[test]
fn so_does_a_member_of_a_group_whose_coordinator_assigns() {
    sleeps(&[COORDINATED]);
}

#[test]
fn a_process_that_sleeps_through_a_rebalance_is_out_when_its_time_to_poll_is_up() {
    sleeps(&[
        ("session.timeout.ms", "60000"),
        ("max.poll.interval.ms", "2500"),
    ]);
}

/// A process with records read and not committed is stopped; another member takes over and commits more; then the
/// process goes on.
fn sleeps(given: &'static [(&str, &str)]) {
    story(|broker| async move {
        let (topic, group) = (unique("sleep"), unique("group"));
        broker.create(&topic, 2).await;
        broker.produce(&topic, 2, 0..10).await;
        let mut given = given.to_vec();
        given.push(("group.id", &group));
        let process = Process::start(&broker, &topic, &given);
        wait::until("the process to read", || process.read().len() == 10);
        signal(&process.child, Signal::STOP);

        given.push(("enable.auto.commit", "false"));
        let mut other = broker.consumer(&given).await;
        other.subscribe([&*topic]).await.unwrap();
        let mut read = Vec::new();
        poll_until(&mut [&mut other], &mut read, |all, read| {
            assigned(all[0]) == [0, 1] && read.len() == 10
        })
        .await;
        broker.produce(&topic, 2, 10..20).await;
        poll_until(&mut [&mut other], &mut read, |_, read| read.len() == 20).await;
        other.commit_sync(None).await.unwrap();

        // Awake, it finds its commit overdue and its membership gone, and joins again.
        signal(&process.child, Signal::CONT);
        let deadline = Instant::now() + PATIENCE;
        while assigned(&other).len() != 1 {
            assert!(Instant::now() < deadline, "it did not come back");
            other.poll(A_WHILE).await.unwrap();
            assert_eq!(committed(&other, &topic).await, [10, 10]);
        }
        broker.produce(&topic, 2, 20..30).await;
        wait::until("the process to read what is new", || {
            process.read().iter().any(|number| *number >= 20)
        });
        drop(process);
        let committed = committed(&other, &topic).await;
        assert!(committed.iter().all(|offset| *offset >= 10));
        other.close(PATIENCE).await;
    });
}

async fn committed(consumer: &Consumer, topic: &str) -> Vec<i64> {
    let partitions = [partition(topic, 0), partition(topic, 1)];
    let committed = consumer.committed(&partitions).await.unwrap();
    committed.into_iter().map(|(_, at)| at.offset).collect()
}

/// A consumer in a process of its own, which commits two seconds after it has read.
struct Process {
    child: Child,
    read: Arc<Mutex<Vec<i32>>>,
}

impl Process {
    fn start(broker: &Broker, topic: &str, given: &[(&str, &str)]) -> Process {
        let mut command = ottla();
        command.args(["console-consumer", "--topic", topic]);
        command.args(["--bootstrap-server", &broker.address]);
        let own = [
            ("auto.offset.reset", "earliest"),
            ("auto.commit.interval.ms", "2000"),
        ];
        for (key, value) in own.iter().chain(given) {
            command.args(["--command-property", &format!("{key}={value}")]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let read: Arc<Mutex<Vec<i32>>> = Arc::default();
        let heard = read.clone();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                heard.lock().unwrap().push(line.parse().unwrap());
            }
        });
        Process { child, read }
    }

    fn read(&self) -> Vec<i32> {
        self.read.lock().unwrap().clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_broker_that_is_killed_and_comes_back_costs_a_group_nothing() {
    outlives_the_broker(("session.timeout.ms", "60000"));
}

#[test]
fn nor_does_it_cost_one_whose_coordinator_assigns() {
    outlives_the_broker(COORDINATED);
}

fn outlives_the_broker(protocol: (&'static str, &'static str)) {
    if is_foreign() {
        return;
    }
    story(|_| async move {
        let door = Door::open().await;
        let mut broker = door.broker();
        let (topic, group) = (unique("restart"), unique("group"));
        broker.create(&topic, 2).await;
        broker.produce(&topic, 2, 0..10).await;
        let given = [
            ("group.id", &*group),
            ("auto.commit.interval.ms", HOURS),
            protocol,
        ];
        let (mut consumer, diary) = (broker.consumer(&given).await, Diary::default());
        consumer.set_rebalance_listener(Box::new(diary.clone()));
        consumer.subscribe([&*topic]).await.unwrap();
        let mut read = Vec::new();
        poll_until(&mut [&mut consumer], &mut read, |_, read| read.len() == 10).await;
        let before = consumer.group_metadata();

        let server = broker.ours.as_mut().unwrap();
        server.kill();
        assert!(consumer.poll(A_WHILE).await.unwrap().is_empty());
        server.restart();
        door.leads_to(server.address());
        broker.produce(&topic, 2, 10..20).await;
        poll_until(&mut [&mut consumer], &mut read, |_, read| read.len() == 20).await;
        consumer.commit_sync(None).await.unwrap();
        assert_eq!(committed(&consumer, &topic).await, [10, 10]);
        assert_eq!(diary.lines(), ["assigned [0, 1]"]);
        assert_eq!(consumer.group_metadata(), before);
        consumer.close(PATIENCE).await;
    });
}
