//! The broker is killed at every step of a transaction, before and after it has answered. The producer asks again with what
//! it had; in the end all that was committed is there once and in order, nothing of what was aborted, and nothing is open.

use std::ops::Range;

use ottla_protocol::errors::ErrorCode;

use crate::requests::create_topic;
use crate::server::Server;
use crate::transactional::{
    Claim, Protocol, Step, Transactional, assert_committed, committed_offset, find_coordinators,
};
use crate::wait::until;
use crate::wire::Wire;

const TOPIC: &str = "txn";
const PARTITIONS: Range<i32> = 0..2;
const ID: &str = "mover";

/// When the broker dies, as seen by the producer.
#[derive(Clone, Copy, PartialEq)]
enum Kill {
    Never,
    /// With the request on its way.
    Asked,
    Answered,
}

struct Producer {
    server: Server,
    own: Transactional,
    kill_at: (Step, Kill),
}

#[test]
fn killed_at_every_step_of_a_transaction_the_broker_tears_none() {
    check(Protocol::Old);
}

#[test]
fn killed_at_every_step_of_a_transaction_with_an_epoch_of_its_own_the_broker_tears_none() {
    check(Protocol::New);
}

fn check(protocol: Protocol) {
    let server = Server::start();
    create_topic(server.address(), TOPIC, 2);
    find_coordinators(server.address(), ID);
    let init = Step::Init(Claim::Anew);
    let mut producer = Producer {
        server,
        own: Transactional::new(ID, TOPIC, PARTITIONS, protocol),
        kill_at: (init, Kill::Never),
    };
    let mut committed = Vec::new();
    let mut number = 0;
    let mut transaction = |producer: &mut Producer, commits: bool| {
        number += 1;
        for step in producer.own.steps(commits) {
            producer.take(step, number);
        }
        if commits {
            committed.push(number);
        }
    };
    producer.take(init, 0);
    for commits in [true, false] {
        for step in [vec![init], producer.own.steps(commits)].concat() {
            for when in [Kill::Asked, Kill::Answered] {
                producer.kill_at = (step, when);
                if step == init {
                    producer.take(init, 0);
                }
                transaction(&mut producer, commits);
                assert!(producer.kill_at.1 == Kill::Never, "{step:?} was not taken");
                transaction(&mut producer, true);
            }
        }
    }
    let server = producer.server;
    assert_committed(&server, TOPIC, PARTITIONS, &committed);
    let offset = committed_offset(server.address(), TOPIC);
    assert_eq!(Some(&offset), committed.last());
}

impl Producer {
    /// Again and again until the broker has taken the step, on a new connection each time.
    fn take(&mut self, step: Step, number: i64) {
        until("the step is taken", || {
            let Producer {
                server,
                own,
                kill_at,
            } = self;
            let taken = Wire::connect(server.address()).and_then(|mut wire| {
                own.take(step, number, &mut wire, || {
                    if *kill_at == (step, Kill::Asked) {
                        kill_at.1 = Kill::Never;
                        kill(server);
                    }
                })
            });
            match taken {
                Ok(ErrorCode::None) => true,
                Ok(
                    ErrorCode::ConcurrentTransactions
                    | ErrorCode::CoordinatorLoadInProgress
                    | ErrorCode::NotEnoughReplicas,
                ) => false,
                Ok(error) => panic!("{step:?}: {error:?}"),
                Err(_) => {
                    assert!(
                        self.kill_at.1 == Kill::Never,
                        "{step:?}: a kill ends connections"
                    );
                    false
                }
            }
        });
        if self.kill_at == (step, Kill::Answered) {
            self.kill_at.1 = Kill::Never;
            kill(&mut self.server);
        }
    }
}

fn kill(server: &mut Server) {
    server.kill();
    server.restart();
}
