//! Hosts one machine on one partition's log. Pure as the machine is: the shell's two hosts (server and simulator)
//! only differ in their [`Log`].
//!
//! Owns: applying records as they are appended, parking answers and errands until what they tell is committed, the
//! timers, and that every token is answered exactly once.
//! Always: committed_end ≤ end; what is parked is ordered by the end it waits for; a token is outstanding from
//! `handle` until its answer leaves through `take_answers`; no errand leaves for a decision that a crash could take back.
//! Not here: encoding, flushing, leadership, wakers. The shell calls `committed` after the write or after the
//! `fdatasync`, as its durability demands, and collects the answers and the errands after every call.
//!
//! Reads wait instead of versioned state: an answer that may show uncommitted records is parked behind the last of
//! them, so no state is ever shown that a crash could take back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{Millis, Offset};

use crate::effects::{Effect, Effects, ReplyToken};
use crate::machine::Machine;

/// Where a host's records go. The shell encodes them as one batch and appends it before it returns.
pub trait Log<R> {
    /// Appends the records, all or none, and returns the offset of the first; the others follow without gaps.
    fn append(&mut self, now: Millis, records: &[R]) -> Result<Offset, ErrorCode>;
}

/// What a token is answered with: the machine's response, or why the request did not reach a decision.
pub type Answer<T> = Result<T, ErrorCode>;

/// A machine whose log is being replayed.
#[derive(Debug)]
pub struct Loading<M> {
    machine: M,
}

impl<M: Machine> Loading<M> {
    #[must_use]
    pub fn new(machine: M) -> Self {
        Self { machine }
    }

    /// The next record of the log, in order of offsets. Compaction may have left gaps.
    pub fn load(&mut self, offset: Offset, record: &M::Record) {
        self.machine.apply(offset, record);
    }

    /// What has been loaded so far.
    #[must_use]
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// Everything is loaded: the log ends at `end` and is committed up to `committed_end`.
    pub fn finish(
        mut self,
        now: Millis,
        end: Offset,
        committed_end: Offset,
        log: &mut impl Log<M::Record>,
    ) -> Host<M> {
        let mut out = Effects::default();
        self.machine.on_loaded(now, &mut out);
        let mut host = Host {
            machine: self.machine,
            end,
            committed_end: committed_end.min(end),
            parked: VecDeque::new(),
            outstanding: BTreeSet::new(),
            timers: Timers::default(),
            answers: Vec::new(),
            errands: Vec::new(),
        };
        host.carry_out(now, now, out, log);
        host
    }
}

/// A machine in service.
#[derive(Debug)]
pub struct Host<M: Machine> {
    machine: M,
    end: Offset,
    committed_end: Offset,
    parked: VecDeque<Parked<M>>,
    outstanding: BTreeSet<ReplyToken>,
    timers: Timers<M::Timer>,
    answers: Vec<(ReplyToken, Answer<M::Response>)>,
    errands: Vec<M::Errand>,
}

#[derive(Debug)]
struct Parked<M: Machine> {
    until: Offset,
    wish: Wish<M>,
}

/// What waits until records are committed.
#[derive(Debug)]
enum Wish<M: Machine> {
    Reply(ReplyToken, M::Response),
    Send(M::Errand),
}

impl<M: Machine> Host<M> {
    /// Hands a request to the machine.
    pub fn handle(
        &mut self,
        now: Millis,
        token: ReplyToken,
        command: M::Command,
        log: &mut impl Log<M::Record>,
    ) {
        assert!(self.outstanding.insert(token), "token {token:?} came twice");
        let mut out = Effects::default();
        self.machine.handle(now, token, command, &mut out);
        self.carry_out(now, now, out, log);
    }

    /// Fires every timer whose time has come. A timer armed meanwhile waits for the next call, so that a machine
    /// that arms "now" again and again cannot hold the shell.
    pub fn advance(&mut self, now: Millis, log: &mut impl Log<M::Record>) {
        while let Some(timer) = self.timers.pop_due(now) {
            let mut out = Effects::default();
            self.machine.on_timer(now, timer, &mut out);
            self.carry_out(now, now.plus(Millis(1)), out, log);
        }
    }

    /// The wall clock was moved by this much (the time that passed does not count): timers keep their distance.
    pub fn clock_moved(&mut self, by: Millis) {
        if by != Millis(0) {
            self.timers.shift(by);
        }
    }

    /// When `advance` has something to do next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Millis> {
        self.timers.next()
    }

    /// Everything before `end` is as durable as an answer needs it.
    pub fn committed(&mut self, end: Offset) {
        self.committed_end = self.committed_end.max(end.min(self.end));
        while let Some(parked) = self
            .parked
            .pop_front_if(|first| first.until <= self.committed_end)
        {
            self.grant(parked.wish);
        }
    }

    /// The answers that may leave now, in the order in which they became ready.
    #[must_use]
    pub fn take_answers(&mut self) -> Vec<(ReplyToken, Answer<M::Response>)> {
        std::mem::take(&mut self.answers)
    }

    /// What the shell is sent out for, in the order in which it was decided.
    #[must_use]
    pub fn take_errands(&mut self) -> Vec<M::Errand> {
        std::mem::take(&mut self.errands)
    }

    /// Leadership or the log is lost: every waiting token gets `error`, and the machine is gone. Load anew.
    #[must_use]
    pub fn unload(mut self, error: ErrorCode) -> Vec<(ReplyToken, Answer<M::Response>)> {
        let mut answers = std::mem::take(&mut self.answers);
        answers.extend(
            self.outstanding
                .iter()
                .map(|token| (*token, Err(M::client_error(error)))),
        );
        answers
    }

    /// To look at; changes go through `handle`. What it shows may not be committed yet: see [`Self::is_committed`].
    #[must_use]
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// Whether everything that the machine has applied is committed.
    #[must_use]
    pub fn is_committed(&self) -> bool {
        self.committed_end == self.end
    }

    /// The offset after the last applied record.
    #[must_use]
    pub fn end(&self) -> Offset {
        self.end
    }

    fn carry_out(
        &mut self,
        now: Millis,
        arm_from: Millis,
        out: Effects<M>,
        log: &mut impl Log<M::Record>,
    ) {
        let mut effects = VecDeque::from(out.take());
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Append {
                    records,
                    replies,
                    errands,
                } => match log.append(now, &records) {
                    Ok(base) => {
                        self.appended(base, &records);
                        for (token, response) in replies {
                            self.when_committed(Wish::Reply(token, response));
                        }
                        for errand in errands {
                            self.when_committed(Wish::Send(errand));
                        }
                    }
                    Err(error) => {
                        for (token, _) in replies {
                            self.answer(token, Err(M::client_error(error)));
                        }
                        let mut out = Effects::default();
                        self.machine
                            .on_append_failed(now, &records, error, &mut out);
                        // Right away: what follows in the list was decided before the failure, as this was after it.
                        for effect in out.take().into_iter().rev() {
                            effects.push_front(effect);
                        }
                    }
                },
                Effect::Reply { token, response } => {
                    self.when_committed(Wish::Reply(token, response));
                }
                Effect::Send { errand } => self.when_committed(Wish::Send(errand)),
                Effect::Arm { timer, at } => self.timers.arm(timer, at.max(arm_from)),
                Effect::Disarm { timer } => self.timers.disarm(&timer),
            }
        }
    }

    fn appended(&mut self, base: Offset, records: &[M::Record]) {
        assert!(
            base >= self.end,
            "the log went back from {} to {base}",
            self.end
        );
        let mut offset = base;
        for record in records {
            self.machine.apply(offset, record);
            offset = offset.next();
        }
        self.end = offset;
    }

    fn when_committed(&mut self, wish: Wish<M>) {
        if self.is_committed() {
            self.grant(wish);
            return;
        }
        self.parked.push_back(Parked {
            until: self.end,
            wish,
        });
    }

    fn grant(&mut self, wish: Wish<M>) {
        match wish {
            Wish::Reply(token, response) => self.answer(token, Ok(response)),
            Wish::Send(errand) => self.errands.push(errand),
        }
    }

    fn answer(&mut self, token: ReplyToken, answer: Answer<M::Response>) {
        assert!(
            self.outstanding.remove(&token),
            "token {token:?} was answered twice"
        );
        self.answers.push((token, answer));
    }
}

/// Timers by name and by time.
#[derive(Debug)]
struct Timers<T> {
    by_name: BTreeMap<T, Millis>,
    by_time: BTreeSet<(Millis, T)>,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self {
            by_name: BTreeMap::new(),
            by_time: BTreeSet::new(),
        }
    }
}

impl<T: Clone + Ord> Timers<T> {
    fn arm(&mut self, timer: T, at: Millis) {
        self.disarm(&timer);
        self.by_name.insert(timer.clone(), at);
        self.by_time.insert((at, timer));
    }

    fn disarm(&mut self, timer: &T) {
        if let Some((timer, at)) = self.by_name.remove_entry(timer) {
            self.by_time.remove(&(at, timer));
        }
    }

    fn shift(&mut self, by: Millis) {
        for at in self.by_name.values_mut() {
            *at = at.plus(by);
        }
        let moved = std::mem::take(&mut self.by_time);
        self.by_time = moved
            .into_iter()
            .map(|(at, timer)| (at.plus(by), timer))
            .collect();
    }

    fn next(&self) -> Option<Millis> {
        self.by_time.first().map(|(at, _)| *at)
    }

    fn pop_due(&mut self, now: Millis) -> Option<T> {
        if self.next()? > now {
            return None;
        }
        let (_, timer) = self.by_time.pop_first()?;
        self.by_name.remove(&timer);
        Some(timer)
    }
}
