//! S-24: money moves between accounts in transactions while the broker is killed, again and again. An account is a partition; a
//! transfer takes from one what it adds to another. Whenever the tellers pause, what a reader of committed records has seen
//! comes to zero, with every transfer on both sides or on none; and no transfer is lost that a teller was told of.
//!
//! `OTTLA_KILLS` kills that often, and as rarely as the catalogue has it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use ottla_client::admin::{Isolation, TopicPartition};
use ottla_client::consumer::Consumer;
use ottla_client::producer::{
    ErrorClass, Record, Settled, TransactionError, TransactionalProducer,
};
use tokio::runtime::Handle;
use tokio::sync::RwLock;

use super::history::Ended;
use super::readers::{end, reader};
use super::workers::{Plan, claim};
use super::{A_WHILE, MOMENT_MAX_US, PATIENCE, eventually};
use crate::consumer::{Door, story};
use crate::random::{Random, number};

const TOPIC: &str = "accounts";
const ACCOUNTS: i32 = 6;
const TELLERS: usize = 3;
const AMOUNT_MAX: u64 = 100;
const KILLS: u64 = 4;
const CALM_MS: Range<u64> = 100..500;
/// Where there is time for them to get far.
const LONG_CALM_MS: Range<u64> = 3_000..8_000;
const BETWEEN_AUDITS: Duration = Duration::from_millis(200);

/// What everybody shares.
struct Bank {
    address: String,
    done: AtomicBool,
    /// Held by tellers during a transfer, alone by the auditor.
    counters: RwLock<()>,
}

#[derive(Clone)]
struct Transfer {
    name: String,
    from: i32,
    to: i32,
    amount: i64,
    ended: Ended,
}

/// What a reader has seen of each transfer: accounts and amounts, sorted.
#[derive(Debug, Default, PartialEq)]
struct Ledger(BTreeMap<String, Vec<(i32, i64)>>);

#[test]
fn money_that_moves_in_transactions_neither_appears_nor_vanishes_while_the_broker_is_killed() {
    story(|_| async move {
        let mut random = Random::from_environment();
        let door = Door::open().await;
        let mut broker = door.broker();
        broker.create(TOPIC, ACCOUNTS).await;
        let bank = Arc::new(Bank {
            address: broker.address.clone(),
            done: AtomicBool::new(false),
            counters: RwLock::default(),
        });
        let handle = Handle::current();
        let tellers: Vec<_> = (0..TELLERS)
            .map(|number| {
                let (bank, handle, random) = (bank.clone(), handle.clone(), random.fork());
                let name = format!("teller-{number}");
                thread::spawn(move || handle.block_on(transfer_all_day(&bank, &name, random)))
            })
            .collect();
        let auditor = {
            let bank = bank.clone();
            thread::spawn(move || handle.block_on(audit_all_day(&bank)))
        };

        let asked_for = number("OTTLA_KILLS");
        let calm_ms = if asked_for.is_some() {
            LONG_CALM_MS
        } else {
            CALM_MS
        };
        for _ in 0..asked_for.unwrap_or(KILLS) {
            let calm_ms = calm_ms.start + random.below(calm_ms.end - calm_ms.start);
            thread::sleep(Duration::from_millis(calm_ms));
            assert!(!auditor.is_finished(), "the auditor has found something");
            let server = broker.ours.as_mut().unwrap();
            server.kill();
            server.restart();
            door.leads_to(server.address());
        }
        bank.done.store(true, SeqCst);
        let mut transfers = Vec::new();
        for teller in tellers {
            transfers.extend(teller.join().unwrap());
        }
        let (mut auditor, seen) = auditor.join().unwrap();
        auditor.look(&bank).await;
        let mut afresh = Auditor::new(&bank).await;
        afresh.look(&bank).await;
        assert!(
            auditor.ledger == afresh.ledger,
            "who has read along has seen something else"
        );
        assert_eq!(
            afresh.ledger.contradictions(&transfers),
            <[&str; 0]>::default()
        );
        let count = |ended| transfers.iter().filter(|made| made.ended == ended).count();
        let counts = [Ended::Committed, Ended::Aborted, Ended::Unknown].map(count);
        eprintln!(
            "committed, aborted and unknown: {counts:?}, {seen} audits, the slowest {} ms",
            auditor.slowest.as_millis()
        );
        assert!(counts[0] > 0 && counts[1] > 0 && seen > 0, "{counts:?}");
    });
}

async fn transfer_all_day(bank: &Bank, name: &str, mut random: Random) -> Vec<Transfer> {
    let mut own = claim(&bank.address, name).await;
    let mut transfers = Vec::new();
    while !bank.done.load(SeqCst) {
        let counter = bank.counters.read().await;
        let from = random.below(ACCOUNTS as u64);
        let to = (from + 1 + random.below(ACCOUNTS as u64 - 1)) % ACCOUNTS as u64;
        let mut transfer = Transfer {
            name: format!("{name}/{}", transfers.len()),
            from: i32::try_from(from).unwrap(),
            to: i32::try_from(to).unwrap(),
            amount: 1 + i64::try_from(random.below(AMOUNT_MAX)).unwrap(),
            ended: Ended::Aborted,
        };
        let plan = match random.below(20) {
            0 | 1 => Plan::Abort,
            2 => Plan::Vanish,
            3 => Plan::VanishInCommit,
            _ => Plan::Commit,
        };
        let moment = Duration::from_micros(random.below(MOMENT_MAX_US));
        if !transfer.make(&mut own, plan, moment).await {
            own = claim(&bank.address, name).await;
        }
        transfers.push(transfer);
        drop(counter);
    }
    own.close(PATIENCE).await;
    transfers
}

impl Transfer {
    /// Nothing is open afterwards. False: once another producer has taken this one's place.
    async fn make(
        &mut self,
        own: &mut TransactionalProducer,
        plan: Plan,
        moment: Duration,
    ) -> bool {
        let refusal = match self.try_make(own, plan, moment).await {
            Ok(is_sure) => return is_sure,
            Err(error) => error.class,
        };
        if refusal == ErrorClass::Abortable {
            self.ended = Ended::Aborted;
        }
        let mut settled = None;
        eventually("the transfer is settled", async || {
            settled = match own.settle().await {
                Err(error) if error.class == ErrorClass::Retriable => None,
                settled => Some(settled),
            };
            settled.is_some()
        })
        .await;
        match settled.unwrap() {
            Ok(Settled::Committed) => self.ended = Ended::Committed,
            Ok(Settled::Aborted) => self.ended = Ended::Aborted,
            Ok(Settled::Nothing) => {}
            Err(_) => return false,
        }
        true
    }

    async fn try_make(
        &mut self,
        own: &mut TransactionalProducer,
        plan: Plan,
        moment: Duration,
    ) -> Result<bool, TransactionError> {
        let begun = own.begin().await?;
        for (account, amount) in self.sides() {
            let value = format!("{} {amount}", self.name);
            let record = Record {
                topic: TOPIC,
                partition: Some(account),
                value: Some(value.as_bytes()),
                ..Record::default()
            };
            // Committing, or settling, tells what became of it.
            let _ = begun.send(record).await;
        }
        plan.carry_out(begun, moment, &mut self.ended).await
    }

    fn sides(&self) -> [(i32, i64); 2] {
        let mut sides = [(self.from, -self.amount), (self.to, self.amount)];
        sides.sort_unstable();
        sides
    }
}

/// Goes through the whole story with the broker, looking again and again. How often it did.
async fn audit_all_day(bank: &Bank) -> (Auditor, usize) {
    let mut auditor = Auditor::new(bank).await;
    let mut audits = 0;
    while !bank.done.load(SeqCst) {
        auditor.look(bank).await;
        audits += 1;
        tokio::time::sleep(BETWEEN_AUDITS).await;
    }
    (auditor, audits)
}

struct Auditor {
    consumer: Consumer,
    ledger: Ledger,
    slowest: Duration,
}

impl Auditor {
    async fn new(bank: &Bank) -> Auditor {
        Auditor {
            consumer: reader(&bank.address, TOPIC, 0..ACCOUNTS).await,
            ledger: Ledger::default(),
            slowest: Duration::ZERO,
        }
    }

    /// While nobody makes transfers: reads what there is, and adds it up.
    async fn look(&mut self, bank: &Bank) {
        let _all_counters = bank.counters.write().await;
        let started = Instant::now();
        for account in 0..ACCOUNTS {
            let at = TopicPartition::new(TOPIC, account);
            let last = end(&bank.address, &at, Isolation::ReadUncommitted).await;
            eventually("all markers are written", async || {
                end(&bank.address, &at, Isolation::ReadCommitted).await >= last
            })
            .await;
            eventually("the account is read", async || {
                for record in self.consumer.poll(A_WHILE).await.unwrap() {
                    let value = record.value.unwrap();
                    let value = std::str::from_utf8(&value).unwrap();
                    self.ledger.enter(record.partition, value);
                }
                self.consumer.position(&at).unwrap() >= Some(last)
            })
            .await;
        }
        self.slowest = self.slowest.max(started.elapsed());
        assert_eq!(self.ledger.unbalanced(), <[&str; 0]>::default());
        assert_eq!(self.ledger.sum(), 0);
    }
}

impl Ledger {
    fn enter(&mut self, account: i32, value: &str) {
        let (transfer, amount) = value.rsplit_once(' ').unwrap();
        let sides = self.0.entry(transfer.to_owned()).or_default();
        sides.push((account, amount.parse().unwrap()));
        sides.sort_unstable();
    }

    fn sum(&self) -> i64 {
        self.0.values().flatten().map(|(_, amount)| amount).sum()
    }

    /// Transfers that are not there once on each of two sides.
    fn unbalanced(&self) -> Vec<&str> {
        let is_balanced = |sides: &[(i32, i64)]| match sides {
            [one, other] => one.0 != other.0 && one.1 + other.1 == 0,
            _ => false,
        };
        let all = self.0.iter().filter(|(_, sides)| !is_balanced(sides));
        all.map(|(name, _)| &**name).collect()
    }

    /// Transfers that are not as their tellers know them.
    fn contradictions<'a>(&'a self, transfers: &'a [Transfer]) -> Vec<&'a str> {
        let mut strange: BTreeMap<&str, _> = self
            .0
            .iter()
            .map(|(name, sides)| (&**name, sides))
            .collect();
        let mut found = Vec::new();
        for transfer in transfers {
            let there = strange.remove(&*transfer.name);
            let there = there.map(|sides| *sides == transfer.sides());
            let is_fine = match transfer.ended {
                Ended::Committed => there == Some(true),
                Ended::Aborted => there.is_none(),
                Ended::Unknown => there != Some(false),
            };
            if !is_fine {
                found.push(&*transfer.name);
            }
        }
        found.extend(strange.into_keys());
        found
    }
}

#[test]
fn the_books_show_what_is_torn_lost_doubled_and_made_up() {
    let transfer = |name: &str, ended| Transfer {
        name: name.to_owned(),
        from: 0,
        to: 1,
        amount: 5,
        ended,
    };
    let mut ledger = Ledger::default();
    ledger.enter(0, "torn -5");
    for side in 0..2 {
        ledger.enter(0, &format!("doubled {}", side - 1));
        ledger.enter(1, &format!("doubled {side}"));
        ledger.enter(side, &format!("fine {}", [-5, 5][side as usize]));
        ledger.enter(side, &format!("aborted {}", [-5, 5][side as usize]));
        ledger.enter(side, &format!("strange {}", [-5, 5][side as usize]));
    }
    assert_eq!(ledger.unbalanced(), ["doubled", "torn"]);
    assert_eq!(ledger.sum(), -5);
    let known = [
        transfer("fine", Ended::Committed),
        transfer("gone", Ended::Unknown),
        transfer("lost", Ended::Committed),
        transfer("aborted", Ended::Aborted),
        transfer("torn", Ended::Unknown),
        transfer("doubled", Ended::Committed),
    ];
    assert_eq!(
        ledger.contradictions(&known),
        ["lost", "aborted", "torn", "doubled", "strange"]
    );
}
