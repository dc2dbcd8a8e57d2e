//! S-21: random requests, deadlines, refused appends, lost markers and crashes against a hosted transaction coordinator.
//!
//! Always: a transactional id's epoch never falls while its producer id stays, and the producer id changes only when
//! epochs are used up or the id was forgotten; nobody is given the same producer id and epoch twice; an id has one
//! transaction at most, of which partitions are only added; a decision that a client or a partition has heard of is on
//! the log for good and never changes; a transaction is complete only when every partition has its marker, and each
//! one is once markers go through; replaying the log gives the live hard state; every request is answered exactly once
//! (the host asserts that it is not twice).

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use ottla_coordination::controller::ProducerIdBlock;
use ottla_coordination::txn::coordinator::{
    AddPartitionsToTxn, EndTxn, InitProducerId, MarkerOutcome, MarkersWritten, Outcome,
    TopicPartition, Transaction, TransactionState, TransactionVersion, TxnCommand, TxnErrand,
    TxnMachine, TxnProducer, TxnRecord, TxnResponse, TxnSettings, WriteMarkers,
};
use ottla_coordination::{Answer, Host, Machine as _, ReplyToken};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{Millis, Offset, PartitionIndex, ProducerEpoch, ProducerId};

use crate::support::{MemoryLog, Numbers, load};

const IDS: [&str; 3] = ["a", "b", "c"];
const STEPS: usize = 400;

#[test]
fn random_runs_keep_the_transactions_promises() {
    let seeds = match std::env::var("OTTLA_SEED") {
        Ok(seed) => vec![seed.parse().expect("a number")],
        Err(_) => (0..100).collect(),
    };
    let runs = seeds.len();
    let mut seen = Seen::default();
    for seed in seeds {
        let _guard = PrintSeed(seed);
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.finish(&mut seen);
    }
    // Otherwise the promises were kept for want of occasion.
    assert!(seen.commits > 5 * runs, "{seen:?} in {runs} runs");
    assert!(seen.aborts > 5 * runs, "{seen:?} in {runs} runs");
    assert!(seen.rotations > runs, "{seen:?} in {runs} runs");
    assert!(seen.forgotten > runs / 4, "{seen:?} in {runs} runs");
}

/// What has happened for good.
#[derive(Debug, Default)]
struct Seen {
    commits: usize,
    aborts: usize,
    rotations: usize,
    forgotten: usize,
}

struct PrintSeed(u64);

impl Drop for PrintSeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(
                std::io::stderr(),
                "again: OTTLA_SEED={} cargo test -p ottla-coordination txn_random",
                self.0
            );
        }
    }
}

/// What was asked, as far as its answer is checked.
#[derive(Clone)]
enum Asked {
    /// With what the producer said that it had.
    Init(&'static str, Option<(ProducerId, ProducerEpoch)>),
    End(EndTxn),
    Other,
}

struct World {
    numbers: Numbers,
    now: Millis,
    settings: TxnSettings,
    coordinator_epoch: i32,
    log: MemoryLog<TxnRecord>,
    host: Host<TxnMachine>,
    committed_end: Offset,
    next_token: u64,
    next_producer_id: i64,
    asked: BTreeMap<ReplyToken, Asked>,
    /// Producers of each id that some client thinks are in service, the latest last.
    producers: BTreeMap<&'static str, Vec<(ProducerId, ProducerEpoch)>>,
    given: BTreeSet<(&'static str, ProducerId, ProducerEpoch)>,
    /// What the shell is out for; some of it for a coordinator that is no more.
    errands: Vec<TxnErrand>,
    /// How far the log was looked at.
    checked: usize,
    /// Partitions that have the marker of an id's prepared transaction.
    marked: BTreeMap<String, BTreeSet<TopicPartition>>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut numbers = Numbers(seed);
        let level = i16::try_from(numbers.below(4).min(2)).expect("small");
        let settings = TxnSettings {
            transaction_version: TransactionVersion(level),
            id_expiration_ms: 30_000,
            expiration_check_interval_ms: 5_000,
            timeout_check_interval_ms: 1_000,
            ..TxnSettings::default()
        };
        let mut log = MemoryLog::default();
        // Epochs that are nearly used up, so that producer ids change.
        let exhausted = [("a", 7, 32_764), ("b", 8, 32_766)];
        for (id, producer_id, epoch) in exhausted {
            log.records
                .push(nearly_exhausted(id, producer_id, epoch, level));
        }
        let now = Millis(1_000_000);
        let host = load(TxnMachine::new(settings.clone(), 0), now, &mut log);
        let end = log.end();
        Self {
            numbers,
            now,
            settings,
            coordinator_epoch: 0,
            log,
            host,
            committed_end: end,
            next_token: 0,
            next_producer_id: 100,
            asked: BTreeMap::new(),
            producers: exhausted
                .map(|(id, producer_id, epoch)| {
                    (id, vec![(ProducerId(producer_id), ProducerEpoch(epoch))])
                })
                .into(),
            given: BTreeSet::new(),
            errands: Vec::new(),
            checked: 0,
            marked: BTreeMap::new(),
        }
    }

    fn step(&mut self) {
        let id = IDS[self.numbers.below(IDS.len())];
        match self.numbers.below(100) {
            0..5 => self.init(id),
            5..25 => self.add_partitions(id),
            25..45 => self.end(id),
            45..65 => self.run_an_errand(false),
            65..75 => self.let_time_pass(),
            75 => self.refuse_an_append(),
            76 => self.crash(),
            77..79 => self.look(id),
            _ => self.become_durable(),
        }
        self.settle();
    }

    /// After every step: what has come of it keeps the promises.
    fn settle(&mut self) {
        self.check_log();
        for (token, answer) in self.host.take_answers() {
            let asked = self
                .asked
                .remove(&token)
                .expect("asked and not answered yet");
            self.check_answer(&asked, answer);
        }
        for errand in self.host.take_errands() {
            if let TxnErrand::WriteMarkers(markers) = &errand {
                self.check_is_decided(markers);
            }
            self.errands.push(errand);
        }
    }

    fn ask(&mut self, command: TxnCommand, asked: Asked) {
        self.next_token += 1;
        let token = ReplyToken(self.next_token);
        self.asked.insert(token, asked);
        self.host.handle(self.now, token, command, &mut self.log);
    }

    /// Most often the latest producer of the id, sometimes one that is fenced.
    fn a_producer(&mut self, id: &'static str) -> Option<TxnProducer> {
        let known = self.producers.get(id)?;
        let (producer_id, producer_epoch) = if self.numbers.one_in(8) {
            *self.numbers.pick(known)?
        } else {
            *known.last()?
        };
        Some(TxnProducer {
            transactional_id: id.to_owned(),
            producer_id,
            producer_epoch,
        })
    }

    fn init(&mut self, id: &'static str) {
        let expected = match self.a_producer(id) {
            Some(producer) if self.numbers.one_in(2) => {
                Some((producer.producer_id, producer.producer_epoch))
            }
            _ => None,
        };
        let request = InitProducerId {
            transactional_id: id.to_owned(),
            timeout_ms: 1 + i32::try_from(self.numbers.below(20_000)).expect("small"),
            expected,
            enable_two_phase_commit: false,
            keep_prepared: false,
        };
        let command = TxnCommand::InitProducerId(request);
        self.ask(command, Asked::Init(id, expected));
    }

    fn add_partitions(&mut self, id: &'static str) {
        let Some(producer) = self.a_producer(id) else {
            return self.init(id);
        };
        let count = 1 + self.numbers.below(2);
        let partitions = (0..count).map(|_| TopicPartition {
            topic: "t".to_owned(),
            partition: PartitionIndex(i32::try_from(self.numbers.below(4)).expect("small")),
        });
        let request = AddPartitionsToTxn {
            producer,
            partitions: partitions.collect(),
            client_version: self.client_version(),
        };
        self.ask(TxnCommand::AddPartitionsToTxn(request), Asked::Other);
    }

    fn end(&mut self, id: &'static str) {
        let Some(producer) = self.a_producer(id) else {
            return;
        };
        let request = EndTxn {
            producer,
            outcome: if self.numbers.one_in(3) {
                Outcome::Abort
            } else {
                Outcome::Commit
            },
            client_version: self.client_version(),
        };
        self.ask(TxnCommand::EndTxn(request.clone()), Asked::End(request));
    }

    fn look(&mut self, id: &'static str) {
        let transactional_ids = vec![id.into()];
        let describe = TxnCommand::DescribeTransactions { transactional_ids };
        self.ask(describe, Asked::Other);
        self.ask(
            TxnCommand::ListTransactions(Default::default()),
            Asked::Other,
        );
    }

    fn client_version(&mut self) -> TransactionVersion {
        TransactionVersion(if self.numbers.one_in(4) { 0 } else { 2 })
    }

    /// Some errand comes to its end, in any order; a marker may be lost on the way there or back.
    fn run_an_errand(&mut self, surely: bool) {
        if self.errands.is_empty() {
            return;
        }
        let errand = self
            .errands
            .swap_remove(self.numbers.below(self.errands.len()));
        match errand {
            TxnErrand::ProducerIds => {
                let given = if !surely && self.numbers.one_in(4) {
                    Err(ErrorCode::RequestTimedOut)
                } else {
                    let first = ProducerId(self.next_producer_id);
                    self.next_producer_id += 3;
                    Ok(ProducerIdBlock { first, length: 3 })
                };
                self.ask(TxnCommand::ProducerIdsGiven(given), Asked::Other);
            }
            TxnErrand::WriteMarkers(markers) => self.write_markers(&markers, surely),
        }
    }

    fn write_markers(&mut self, markers: &WriteMarkers, surely: bool) {
        let is_current = markers.coordinator_epoch == self.coordinator_epoch;
        let mut outcomes = BTreeMap::new();
        for partition in &markers.partitions {
            let outcome = if surely || !self.numbers.one_in(5) {
                if is_current {
                    let id = markers.producer.transactional_id.clone();
                    let marked = self.marked.entry(id).or_default();
                    marked.insert(partition.clone());
                }
                MarkerOutcome::Done
            } else if self.numbers.one_in(20) {
                MarkerOutcome::Fenced
            } else {
                MarkerOutcome::Retry
            };
            outcomes.insert(partition.clone(), outcome);
        }
        let written = MarkersWritten {
            producer: markers.producer.clone(),
            coordinator_epoch: markers.coordinator_epoch,
            outcomes,
        };
        self.ask(TxnCommand::MarkersWritten(written), Asked::Other);
    }

    fn let_time_pass(&mut self) {
        let step = match self.numbers.below(40) {
            0 => 40_000,
            1..4 => 5_000,
            _ => 100,
        };
        self.now = self.now.plus(Millis(step));
        self.host.advance(self.now, &mut self.log);
    }

    fn refuse_an_append(&mut self) {
        self.log.refuse_next = Some(ErrorCode::NotEnoughReplicas);
    }

    fn become_durable(&mut self) {
        self.committed_end = self.log.end();
        self.host.committed(self.committed_end);
    }

    /// What was not committed is gone, and so is all soft state. The shell may still be out for the old coordinator.
    fn crash(&mut self) {
        self.check_replay();
        self.log.lose_uncommitted(self.committed_end);
        self.checked = self.checked.min(self.log.records.len());
        self.marked.clear();
        self.errands
            .retain(|errand| *errand != TxnErrand::ProducerIds);
        self.coordinator_epoch += 1;
        let machine = TxnMachine::new(self.settings.clone(), self.coordinator_epoch);
        let host = load(machine, self.now, &mut self.log);
        let old = std::mem::replace(&mut self.host, host);
        for (token, answer) in old.unload(ErrorCode::NotCoordinator) {
            assert!(self.asked.remove(&token).is_some());
            // Answers that were ready may say anything; nobody heard them.
            drop(answer);
        }
        assert!(self.asked.is_empty(), "a request was never answered");
    }

    fn check_replay(&self) {
        let mut replayed = TxnMachine::new(self.settings.clone(), 0);
        for (offset, record) in (0..).zip(&self.log.records) {
            replayed.apply(Offset(offset), record);
        }
        assert_eq!(replayed.hard(), self.host.machine().hard());
    }

    /// Looks at the records that are new since the last time, each against the one before it of the same id.
    fn check_log(&mut self) {
        for at in self.checked..self.log.records.len() {
            let record = &self.log.records[at];
            let id = &record.transactional_id;
            let before = last_of(&self.log.records[..at], id);
            match (before, &record.transaction) {
                (Some(before), Some(after)) => {
                    check_step(before, after);
                    if before.state.prepared().is_some() {
                        let marked = self.marked.remove(id).unwrap_or_default();
                        assert!(
                            marked.is_superset(&before.partitions),
                            "{id} was complete with {marked:?} of {:?}",
                            before.partitions
                        );
                    }
                }
                (Some(before), None) => assert!(before.state.is_at_rest(), "{id} was forgotten"),
                (None, Some(after)) => assert_eq!(after.state, TransactionState::Empty),
                (None, None) => panic!("{id} was forgotten twice"),
            }
        }
        self.checked = self.log.records.len();
    }

    fn check_answer(&mut self, asked: &Asked, answer: Answer<TxnResponse>) {
        match (asked, answer) {
            (Asked::Init(id, expected), Ok(TxnResponse::InitProducerId(response)))
                if response.error_code == 0 =>
            {
                let producer_id = ProducerId(response.producer_id);
                let producer_epoch = ProducerEpoch(response.producer_epoch);
                let is_new = self.given.insert((id, producer_id, producer_epoch));
                assert!(is_new || expected.is_some(), "{id} was given twice");
                self.goes_on_as(id, producer_id, producer_epoch);
            }
            (Asked::End(request), Ok(TxnResponse::EndTxn(response)))
                if response.error_code == 0 =>
            {
                self.check_was_decided(request);
                if response.producer_id >= 0 {
                    let id = IDS
                        .into_iter()
                        .find(|id| *id == request.producer.transactional_id);
                    let (producer_id, epoch) = (response.producer_id, response.producer_epoch);
                    let id = id.expect("one of the ids");
                    self.goes_on_as(id, ProducerId(producer_id), ProducerEpoch(epoch));
                }
            }
            _ => {}
        }
    }

    fn goes_on_as(&mut self, id: &'static str, producer_id: ProducerId, epoch: ProducerEpoch) {
        let known = self.producers.entry(id).or_default();
        known.push((producer_id, epoch));
        if known.len() > 5 {
            known.remove(0);
        }
    }

    fn committed(&self) -> &[TxnRecord] {
        &self.log.records[..usize::try_from(self.committed_end.0).expect("fits")]
    }

    /// A client was told that its transaction ends so: that is on the log for good.
    fn check_was_decided(&self, request: &EndTxn) {
        let producer = &request.producer;
        let epoch = producer.producer_epoch.0;
        let complete = match request.outcome {
            Outcome::Commit => TransactionState::CompleteCommit,
            Outcome::Abort => TransactionState::CompleteAbort,
        };
        let is_it = |record: &TxnRecord| {
            let transaction = record.transaction.as_ref();
            record.transactional_id == producer.transactional_id
                && transaction.is_some_and(|transaction| {
                    let at = transaction.producer_epoch.0;
                    // A client from before KIP-890 may end again what has ended, in the epoch that came of it.
                    let is_known = transaction.state == complete && at == epoch;
                    let is_decided = transaction.state.prepared() == Some(request.outcome)
                        && (at == epoch || Some(at) == epoch.checked_add(1));
                    transaction.producer_id == producer.producer_id && (is_known || is_decided)
                })
        };
        assert!(
            self.committed().iter().any(is_it),
            "{request:?} was said to be done"
        );
    }

    /// Markers are asked for: the decision is on the log for good, and nothing has come after it.
    fn check_is_decided(&self, markers: &WriteMarkers) {
        let producer = &markers.producer;
        let decided = last_of(self.committed(), &producer.transactional_id).expect("a decision");
        assert_eq!(decided.state.prepared(), Some(markers.outcome));
        assert_eq!(decided.producer_id, producer.producer_id);
        assert_eq!(decided.producer_epoch, producer.producer_epoch);
        assert!(decided.partitions.is_superset(&markers.partitions));
    }

    /// The last coordinator takes over, and from here on everything goes through.
    fn finish(mut self, seen: &mut Seen) {
        self.become_durable();
        self.settle();
        self.crash();
        let is_prepared = |world: &Self| {
            let hard = world.host.machine().hard();
            hard.iter()
                .any(|(_, transaction)| transaction.state.prepared().is_some())
        };
        for _ in 0..200 {
            self.become_durable();
            self.settle();
            self.run_an_errand(true);
            self.settle();
        }
        assert!(!is_prepared(&self), "a decision was never carried out");
        self.become_durable();
        self.settle();
        self.crash();
        for (at, record) in self.log.records.iter().enumerate() {
            let before = last_of(&self.log.records[..at], &record.transactional_id);
            match &record.transaction {
                None => seen.forgotten += 1,
                Some(transaction) => {
                    let state = transaction.state;
                    seen.commits += usize::from(state == TransactionState::CompleteCommit);
                    seen.aborts += usize::from(state == TransactionState::CompleteAbort);
                    let is_other =
                        before.is_some_and(|before| before.producer_id != transaction.producer_id);
                    seen.rotations += usize::from(is_other);
                }
            }
        }
    }
}

/// The latest of an id's records, if it is not a tombstone.
fn last_of<'a>(records: &'a [TxnRecord], id: &str) -> Option<&'a Transaction> {
    let mut of_id = records
        .iter()
        .rev()
        .filter(|record| record.transactional_id == id);
    of_id.next()?.transaction.as_ref()
}

fn check_step(before: &Transaction, after: &Transaction) {
    if after.producer_id == before.producer_id {
        assert!(
            after.producer_epoch >= before.producer_epoch,
            "from {before:?} to {after:?}"
        );
    } else {
        assert!(before.is_epoch_exhausted(), "from {before:?} to {after:?}");
        assert_eq!(after.producer_epoch, ProducerEpoch(0));
    }
    let may_follow = match before.state {
        TransactionState::Ongoing => {
            assert_eq!(after.started_at, before.started_at);
            assert!(after.partitions.is_superset(&before.partitions));
            after.state == TransactionState::Ongoing || after.state.prepared().is_some()
        }
        TransactionState::PrepareCommit => after.state == TransactionState::CompleteCommit,
        TransactionState::PrepareAbort => after.state == TransactionState::CompleteAbort,
        TransactionState::Empty
        | TransactionState::CompleteCommit
        | TransactionState::CompleteAbort => matches!(
            after.state,
            TransactionState::Empty | TransactionState::Ongoing | TransactionState::PrepareAbort
        ),
    };
    assert!(may_follow, "from {before:?} to {after:?}");
}

fn nearly_exhausted(id: &str, producer_id: i64, epoch: i16, level: i16) -> TxnRecord {
    let is_first_level = level == 0;
    TxnRecord {
        transactional_id: id.to_owned(),
        transaction: Some(Transaction {
            producer_id: ProducerId(producer_id),
            previous_producer_id: ProducerId(if is_first_level { -1 } else { producer_id }),
            next_producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch(epoch),
            timeout_ms: 10_000,
            state: TransactionState::Empty,
            partitions: BTreeSet::new(),
            started_at: None,
            updated_at: Millis(1_000_000),
            client_version: TransactionVersion(0),
        }),
        value_version: i16::from(!is_first_level),
    }
}
