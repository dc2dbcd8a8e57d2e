//! S-23: several producers of one transactional id. Whoever comes last takes the place of those before, in the middle of whatever
//! they do, also of recovering (KIP-360). They are told so at each thing that they ask for, and nothing of what they left open
//! is ever seen.
//!
//! `OTTLA_ROUNDS` makes more rounds, `OTTLA_SEED` repeats the choices.
#![allow(clippy::print_stderr)]

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Barrier;
use std::thread;

use ottla_protocol::errors::ErrorCode;

use crate::random::{Random, number};
use crate::requests::create_topic;
use crate::server::Server;
use crate::transactional::{
    Claim, Protocol, Step, Transactional, assert_committed, committed_offset, find_coordinators,
};
use crate::wait;
use crate::wire::Wire;

const ROUNDS: u64 = 20;
const ID: &str = "contested";
const TOPIC: &str = "fenced";
const PARTITIONS: Range<i32> = 0..2;
const RACE_ONE_IN: u64 = 4;
const RACERS: usize = 3;

struct Story {
    server: Server,
    random: Random,
    /// Of the transaction begun last.
    number: i64,
    committed: Vec<i64>,
    refusals: BTreeMap<String, usize>,
}

#[test]
fn of_all_producers_of_a_transactional_id_the_last_one_survives() {
    let server = Server::start();
    create_topic(server.address(), TOPIC, PARTITIONS.end);
    find_coordinators(server.address(), ID);
    let mut story = Story {
        server,
        random: Random::from_environment(),
        number: 0,
        committed: Vec::new(),
        refusals: BTreeMap::new(),
    };
    for round in 0..number("OTTLA_ROUNDS").unwrap_or(ROUNDS) {
        match story.random.below(RACE_ONE_IN) {
            0 => story.race(),
            _ => story.hijack(),
        }
        let offset = committed_offset(story.server.address(), TOPIC);
        assert_eq!(Some(&offset), story.committed.last(), "round {round}");
    }
    assert_committed(&story.server, TOPIC, PARTITIONS, &story.committed);
    eprintln!(
        "committed {}; refused {:?}",
        story.committed.len(),
        story.refusals
    );
}

impl Story {
    /// A producer that has claimed the id.
    fn claimed(&mut self) -> Transactional {
        let mut own = Transactional::new(ID, TOPIC, PARTITIONS, some_protocol(&mut self.random));
        self.takes(&mut own, Step::Init(Claim::Anew));
        own
    }

    /// A step that must succeed, sooner or later.
    fn takes(&self, own: &mut Transactional, step: Step) {
        let mut wire = Wire::connect(self.server.address()).unwrap();
        let answer = insist(own, step, self.number, &mut wire);
        assert_eq!(answer, ErrorCode::None, "{:?} {step:?}", own.protocol);
    }

    fn commits(&mut self, own: &mut Transactional) {
        self.number += 1;
        for step in own.steps(true) {
            self.takes(own, step);
        }
        self.committed.push(self.number);
    }

    fn hijack(&mut self) {
        let mut old = self.claimed();
        if self.random.below(2) == 0 {
            self.commits(&mut old);
        }
        if self.random.below(2) == 0 {
            self.number += 1;
            let steps = old.steps(true);
            let reached = self.random.below(steps.len() as u64) as usize;
            for step in &steps[..reached] {
                self.takes(&mut old, *step);
            }
            self.recover(&mut old);
            self.commits(&mut old);
        }
        self.number += 1;
        let mut steps = old.steps(self.random.below(2) == 0);
        steps.push(Step::Init(Claim::Again));
        let reached = self.random.below(steps.len() as u64) as usize;
        for step in &steps[..reached] {
            self.takes(&mut old, *step);
        }
        // The next one is on its way when somebody else comes.
        let (hijacked_at, number) = (steps[reached], self.number);
        let mut wire = Wire::connect(self.server.address()).unwrap();
        let mut new = None;
        let answer = old.take(hijacked_at, number, &mut wire, || {
            new = Some(self.claimed())
        });
        let answer = answer.unwrap();
        let is_end = |step: &Step| matches!(step, Step::End { commits: true });
        let has_ended = steps[..reached].iter().any(is_end);
        if has_ended || is_end(&hijacked_at) && answer == ErrorCode::None {
            self.committed.push(number);
        }
        let may_be = [
            ErrorCode::None,
            ErrorCode::ConcurrentTransactions,
            // While it is being aborted a commit looks like an end that comes again, and with another outcome.
            match hijacked_at {
                Step::End { commits: true } => ErrorCode::InvalidTxnState,
                _ => ErrorCode::None,
            },
            refusal(hijacked_at),
        ];
        assert!(may_be.contains(&answer), "{hijacked_at:?}: {answer:?}");

        let mut asked_for = old.steps(true);
        asked_for.push(Step::Init(Claim::Again));
        for step in asked_for {
            let answer = old.take(step, number, &mut wire, || ()).unwrap();
            assert_eq!(answer, refusal(step), "{:?} {step:?}", old.protocol);
            *self.refusals.entry(format!("{answer:?}")).or_default() += 1;
        }
        self.commits(&mut new.unwrap());
    }

    /// What was open is aborted, and the same producer goes on; also if it had to ask twice.
    fn recover(&mut self, own: &mut Transactional) {
        let before = (own.id, own.epoch);
        self.takes(own, Step::Init(Claim::Again));
        let given = (own.id, own.epoch);
        assert!(given > before, "{given:?} after {before:?}");
        (own.id, own.epoch) = before;
        self.takes(own, Step::Init(Claim::Again));
        assert_eq!((own.id, own.epoch), given);
    }

    /// All claim the id at once, and then all go on at once.
    fn race(&mut self) {
        self.number += 1;
        let (number, address) = (self.number, self.server.address().to_owned());
        let has_claimed = Barrier::new(RACERS);
        let outcomes: Vec<_> = thread::scope(|scope| {
            let racers: Vec<_> = (0..RACERS)
                .map(|_| {
                    let protocol = some_protocol(&mut self.random);
                    let mut own = Transactional::new(ID, TOPIC, PARTITIONS, protocol);
                    let (address, has_claimed) = (&address, &has_claimed);
                    scope.spawn(move || {
                        let mut wire = Wire::connect(address).unwrap();
                        let claim = Step::Init(Claim::Anew);
                        assert_eq!(insist(&mut own, claim, number, &mut wire), ErrorCode::None);
                        let identity = (own.id, own.epoch);
                        has_claimed.wait();
                        for step in own.steps(true) {
                            let answer = insist(&mut own, step, number, &mut wire);
                            if answer != ErrorCode::None {
                                assert_eq!(answer, refusal(step), "{protocol:?} {step:?}");
                                return (identity, Some(answer));
                            }
                        }
                        (identity, None)
                    })
                })
                .collect();
            racers
                .into_iter()
                .map(|racer| racer.join().unwrap())
                .collect()
        });
        let last = outcomes
            .iter()
            .map(|(identity, _)| *identity)
            .max()
            .unwrap();
        for (identity, refused) in outcomes {
            assert_eq!(
                identity == last,
                refused.is_none(),
                "{identity:?} of {last:?}"
            );
            if let Some(answer) = refused {
                *self.refusals.entry(format!("{answer:?}")).or_default() += 1;
            }
        }
        self.committed.push(number);
    }
}

fn some_protocol(random: &mut Random) -> Protocol {
    match random.below(2) {
        0 => Protocol::Old,
        _ => Protocol::New,
    }
}

/// Asks until the transaction before has come to its end.
fn insist(own: &mut Transactional, step: Step, number: i64, wire: &mut Wire) -> ErrorCode {
    wait::some("the step is decided", || {
        let answer = own.take(step, number, wire, || ()).unwrap();
        let is_decided = !matches!(
            answer,
            ErrorCode::ConcurrentTransactions | ErrorCode::NotEnoughReplicas
        );
        is_decided.then_some(answer)
    })
}

/// What a producer is told that another has succeeded.
fn refusal(step: Step) -> ErrorCode {
    match step {
        Step::Send(_) | Step::SendOffset => ErrorCode::InvalidProducerEpoch,
        _ => ErrorCode::ProducerFenced,
    }
}
