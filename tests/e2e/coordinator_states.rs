//! S-21: kill -9 of a transaction's coordinator in each of its states, as the log has it. Whatever had been decided then is carried
//! out, whether the producer goes on, another takes its place or nobody comes: on four partitions and for a group's offset alike,
//! and readers of committed records wait for it no longer than `transaction.timeout.ms` and ten seconds.
//!
//! `OTTLA_KILLS` kills that often, `OTTLA_SEED` repeats the choices.
#![allow(clippy::print_stderr)]

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::ListOffsetsRequest;
use ottla_protocol::messages::list_offsets::request::{ListOffsetsPartition, ListOffsetsTopic};

use crate::random::{Random, number};
use crate::requests::create_topic;
use crate::server::{Server, ottla};
use crate::transactional::{
    Claim, Protocol, Step, Transactional, assert_committed, committed_offset, find_coordinators,
};
use crate::wait;
use crate::wire::Wire;

const ID: &str = "teller";
const TOPIC: &str = "atomic";
const PARTITIONS: Range<i32> = 0..4;
const KILLS: u64 = 12;
/// About as long as a decision takes to be carried out.
const MOMENT_MAX_US: u64 = 4_000;
/// Of transactions that nobody ends.
const TIMEOUT_MS: i32 = 5_000;
const STUCK_MAX: Duration = Duration::from_secs(15);
const ONE_PARTITION: [&str; 2] = ["--override", "transaction.state.log.num.partitions=1"];
/// Timeouts are looked for every 10 s where nobody says otherwise.
const LOOK_OFTEN: [&str; 2] = [
    "--override",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms=100",
];

/// As the log of the coordinator numbers them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum State {
    Empty,
    Ongoing,
    PrepareCommit,
    PrepareAbort,
    CompleteCommit,
    CompleteAbort,
}

const STATES: [State; 6] = [
    State::Empty,
    State::Ongoing,
    State::PrepareCommit,
    State::PrepareAbort,
    State::CompleteCommit,
    State::CompleteAbort,
];

/// Who comes after the kill.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Next {
    SameProducer,
    Successor,
    Nobody,
}

struct Story {
    server: Server,
    random: Random,
    own: Transactional,
    number: i64,
    committed: Vec<i64>,
    killed_in: BTreeMap<State, usize>,
    /// How long a transaction held readers up from its beginning on, over the kill, at most.
    stuck: BTreeMap<Next, Duration>,
}

#[test]
fn killed_in_any_state_the_coordinator_carries_out_what_it_has_decided_everywhere_or_nowhere() {
    let kills = number("OTTLA_KILLS");
    let options = match kills {
        Some(_) => ONE_PARTITION.to_vec(),
        None => [ONE_PARTITION, LOOK_OFTEN].concat(),
    };
    let server = Server::with(&options, &[]);
    create_topic(server.address(), TOPIC, PARTITIONS.end);
    find_coordinators(server.address(), ID);
    let mut story = Story {
        server,
        random: Random::from_environment(),
        own: Transactional::new(ID, TOPIC, PARTITIONS, Protocol::New),
        number: 0,
        committed: Vec::new(),
        killed_in: STATES.map(|state| (state, 0)).into(),
        stuck: BTreeMap::new(),
    };
    let kills = kills.unwrap_or(KILLS);
    for _ in 0..kills {
        story.cycle();
    }
    assert_committed(&story.server, TOPIC, PARTITIONS, &story.committed);
    let hits = &story.killed_in;
    eprintln!(
        "killed in {hits:?}; committed {}; readers waited at most {:?}",
        story.committed.len(),
        story.stuck
    );
    let fewest = hits.values().min().unwrap();
    assert!(
        *fewest >= usize::try_from(kills).unwrap() / 20,
        "too few in some state"
    );
}

impl Story {
    fn cycle(&mut self) {
        let aim = *STATES
            .iter()
            .min_by_key(|state| self.killed_in[*state])
            .unwrap();
        let mut next = match self.random.below(10) {
            0 => Next::Nobody,
            1..=5 => Next::SameProducer,
            _ => Next::Successor,
        };
        self.own = self.producer();
        self.own.timeout_ms = match next {
            Next::Nobody => TIMEOUT_MS,
            _ => self.own.timeout_ms,
        };
        self.take(Step::Init(Claim::Anew));
        self.number += 1;
        let begun = Instant::now();
        let commits = match aim {
            State::PrepareCommit | State::CompleteCommit => true,
            State::PrepareAbort | State::CompleteAbort => false,
            State::Empty | State::Ongoing => self.random.below(2) == 0,
        };
        let steps = self.own.steps(commits);
        let (end, before_end) = steps.split_last().unwrap();
        let reached = match aim {
            State::Empty => 0,
            State::Ongoing => 1 + self.random.below(before_end.len() as u64) as usize,
            _ => before_end.len(),
        };
        for step in &before_end[..reached] {
            self.take(*step);
        }
        match aim {
            State::Empty | State::Ongoing => self.server.kill(),
            State::PrepareCommit | State::PrepareAbort => {
                if self.kill_while(*end) && next == Next::SameProducer {
                    next = Next::Successor;
                }
            }
            State::CompleteCommit | State::CompleteAbort => {
                self.take(*end);
                wait::until("it is complete", || self.state_on_disk() == aim);
                self.server.kill();
            }
        }
        let state = self.state_on_disk();
        *self.killed_in.get_mut(&state).unwrap() += 1;
        self.server.restart();
        let has_ended = matches!(aim, State::CompleteCommit | State::CompleteAbort);
        let is_committed = match (state, next) {
            (State::CompleteCommit | State::PrepareCommit, _) => true,
            (State::Empty | State::Ongoing, Next::SameProducer) => commits,
            _ => false,
        };
        match next {
            Next::SameProducer if has_ended => {}
            Next::SameProducer => {
                for step in &steps[reached..] {
                    self.take(*step);
                }
            }
            Next::Successor => {
                self.own = self.producer();
                self.take(Step::Init(Claim::Anew));
            }
            Next::Nobody => {}
        }
        if is_committed {
            self.committed.push(self.number);
        }
        self.nothing_is_open();
        let stuck = begun.elapsed();
        assert!(stuck < STUCK_MAX, "{state:?}, {next:?}: {stuck:?}");
        let longest = self.stuck.entry(next).or_default();
        *longest = stuck.max(*longest);
        let offset = committed_offset(self.server.address(), TOPIC);
        let expected = self.committed.last().copied().unwrap_or(-1);
        assert_eq!(offset, expected, "{state:?}, {next:?}");
    }

    fn producer(&mut self) -> Transactional {
        let protocol = match self.random.below(2) {
            0 => Protocol::Old,
            _ => Protocol::New,
        };
        Transactional::new(ID, TOPIC, PARTITIONS, protocol)
    }

    /// Again and again until the broker has taken the step.
    fn take(&mut self, step: Step) {
        let (own, number) = (&mut self.own, self.number);
        wait::until("the step is taken", || {
            let wire = Wire::connect(self.server.address());
            match wire.and_then(|mut wire| own.take(step, number, &mut wire, || ())) {
                Ok(ErrorCode::None) => true,
                Ok(
                    ErrorCode::ConcurrentTransactions
                    | ErrorCode::CoordinatorLoadInProgress
                    | ErrorCode::NotEnoughReplicas,
                ) => false,
                other => panic!("{step:?}: {other:?}"),
            }
        });
    }

    /// At some moment after it was asked for. An abort may also be that of a successor; whether it is.
    fn kill_while(&mut self, end: Step) -> bool {
        let mut wire = Wire::connect(self.server.address()).unwrap();
        let Story {
            server,
            random,
            own,
            number,
            ..
        } = self;
        let mut successor = Transactional::new(ID, TOPIC, PARTITIONS, own.protocol);
        let is_abort = end == (Step::End { commits: false });
        let is_successor = is_abort && random.below(2) == 0;
        let (who, step) = match is_successor {
            true => (&mut successor, Step::Init(Claim::Anew)),
            false => (own, end),
        };
        // The answer may or may not have come; the producer does not know it.
        let before = (who.id, who.epoch);
        let answer = who.take(step, *number, &mut wire, || {
            random.pause_up_to_us(MOMENT_MAX_US);
            server.kill();
        });
        drop(answer);
        (who.id, who.epoch) = before;
        is_successor
    }

    /// As the last record of the stopped broker's log says, or of the running one's.
    fn state_on_disk(&self) -> State {
        let folder = self.server.data().join("__transaction_state-0");
        let mut command = ottla();
        command.args(["dump-log", "--transaction-log-decoder", "--files"]);
        command.arg(folder.join("00000000000000000000.log"));
        let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let (_, last) = text.rsplit_once("\"transactionStatus\":").unwrap();
        let end = last.find(',').unwrap();
        STATES[last[..end].parse::<usize>().unwrap()]
    }

    /// Readers of committed records get to the end of each partition.
    fn nothing_is_open(&self) {
        wait::until("nothing is open", || {
            let ends = [0, 1].map(|isolation_level| self.ends(isolation_level));
            ends[0].is_some() && ends[0] == ends[1]
        });
    }

    fn ends(&self, isolation_level: i8) -> Option<Vec<i64>> {
        let partition = |partition_index| ListOffsetsPartition {
            partition_index,
            timestamp: -1,
            ..Default::default()
        };
        let request = ListOffsetsRequest {
            replica_id: -1,
            isolation_level,
            topics: vec![ListOffsetsTopic {
                name: TOPIC.into(),
                partitions: PARTITIONS.map(partition).collect(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let mut wire = Wire::connect(self.server.address()).ok()?;
        let response = wire.call(&request, 7).ok()?;
        let partitions = response.topics[0].partitions.iter();
        partitions
            .map(|partition| (partition.error_code == 0).then_some(partition.offset))
            .collect()
    }
}
