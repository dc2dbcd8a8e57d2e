//! One partition of an internal topic and the machine on it.
//!
//! Always: whoever asked gets one answer; a machine writes only while its state is `Ready`, so nothing is appended
//! after `give_up`. Where records have to be on disk first, one task at a time waits for that, for everybody.
//! The machine knows the wall clock only; when that is moved, its timers are moved along, so that nobody's session ends
//! early or lives for ever.

mod alarm;
mod append;
mod coordinator;
mod load;
mod shards;
mod wall_time;

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use ottla_coordination::txn::Verification;
use ottla_coordination::{Answer, Host, ReplyToken};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::Millis;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::partition::Partition;
use super::waits::AckWait;
use crate::clock;
use alarm::Alarm;
use append::ShardLog;
use coordinator::{CommandOf, ResponseOf};
use wall_time::WallTime;

pub(crate) use append::{append_plain, append_transactional};
pub(crate) use coordinator::{Asked, Coordinator};
#[cfg(test)]
pub(crate) use load::load_batch;
pub(crate) use shards::Shards;

type Waiting<R> = HashMap<ReplyToken, oneshot::Sender<Answer<R>>>;

pub(crate) struct Shard<C: Coordinator> {
    partition: Arc<Partition>,
    coordinator: Arc<C>,
    alarm: Arc<Alarm<C>>,
    state: Mutex<State<C>>,
}

enum State<C: Coordinator> {
    Loading,
    Ready(Box<Active<C>>),
    /// Cannot be served any more; everybody gets this error.
    Gone(ErrorCode),
}

impl<C: Coordinator> State<C> {
    fn ready(&mut self) -> Result<&mut Active<C>, ErrorCode> {
        match self {
            Self::Ready(active) => Ok(active),
            Self::Loading => Err(ErrorCode::CoordinatorLoadInProgress),
            Self::Gone(error) => Err(*error),
        }
    }
}

struct Active<C: Coordinator> {
    host: Host<C::Machine>,
    waiting: Waiting<ResponseOf<C>>,
    last_token: u64,
    /// A task waits for the disk and will say what is committed.
    is_committing: bool,
    /// When the alarm is set to ring for this machine, by the monotonic clock; never later than its next timer.
    alarm_at: Option<Millis>,
    time: WallTime,
}

impl<C: Coordinator> Active<C> {
    /// The wall clock's time, of which the machine's timers have been told.
    fn now(&mut self) -> Millis {
        let (now, moved) = self.time.read(clock::now(), clock::monotonic());
        if let Some(by) = moved {
            self.host.clock_moved(by);
        }
        now
    }
}

impl<C: Coordinator> Shard<C> {
    fn new(partition: Arc<Partition>, coordinator: Arc<C>, alarm: Arc<Alarm<C>>) -> Self {
        Self {
            partition,
            coordinator,
            alarm,
            state: Mutex::new(State::Loading),
        }
    }

    pub(crate) fn partition(&self) -> &Arc<Partition> {
        &self.partition
    }

    /// A machine for it, to be loaded.
    fn machine(&self) -> C::Machine {
        self.coordinator.machine(&self.partition)
    }

    /// Where the machine's records go.
    fn log(&self) -> ShardLog<'_, C> {
        self.log_in_transaction(Verification::Waived)
    }

    fn log_in_transaction(&self, verification: Verification) -> ShardLog<'_, C> {
        ShardLog {
            partition: &self.partition,
            verification,
            coordinator: PhantomData,
        }
    }

    /// Puts a loaded machine in service.
    fn serve(self: &Arc<Self>, host: Host<C::Machine>) {
        let mut state = self.state.lock();
        if !matches!(*state, State::Loading) {
            return;
        }
        let now = clock::now();
        let time = WallTime::new(now, clock::monotonic());
        let mut active = Box::new(Active {
            host,
            waiting: HashMap::new(),
            last_token: 0,
            is_committing: false,
            alarm_at: None,
            time,
        });
        let mut own = None;
        if let Some(first) = self.coordinator.first_command() {
            active.last_token += 1;
            let token = ReplyToken(active.last_token);
            active.host.handle(now, token, first, &mut self.log());
            own = Some(token);
        }
        self.settle(&mut active, own, now);
        *state = State::Ready(active);
    }

    /// Takes the machine out of service for good.
    pub(crate) fn give_up(&self, error: ErrorCode) {
        let state = std::mem::replace(&mut *self.state.lock(), State::Gone(error));
        if let State::Ready(active) = state {
            let Active { host, waiting, .. } = *active;
            deliver(waiting, host.unload(error));
        }
    }

    pub(crate) fn ask(self: &Arc<Self>, command: CommandOf<C>) -> Asked<ResponseOf<C>> {
        self.ask_in_transaction(command, Verification::Waived)
    }

    /// Asks for a producer that can show this for its transaction.
    fn ask_in_transaction(
        self: &Arc<Self>,
        command: CommandOf<C>,
        verification: Verification,
    ) -> Asked<ResponseOf<C>> {
        let mut state = self.state.lock();
        let active = match state.ready() {
            Ok(active) => active,
            Err(error) => return Asked::Now(Err(error)),
        };
        let now = active.now();
        active.last_token += 1;
        let token = ReplyToken(active.last_token);
        let mut log = self.log_in_transaction(verification);
        active.host.handle(now, token, command, &mut log);
        if let Some(answer) = self.settle(active, Some(token), now) {
            return Asked::Now(answer);
        }
        let (sender, receiver) = oneshot::channel();
        active.waiting.insert(token, sender);
        Asked::Later(receiver)
    }

    /// Fires the timers that are due.
    fn ring(self: &Arc<Self>) {
        if let State::Ready(active) = &mut *self.state.lock() {
            let now = active.now();
            active.alarm_at = None;
            active.host.advance(now, &mut self.log());
            self.settle(active, None, now);
        }
    }

    /// After every step of the machine: tells it what is committed, sends out the answers (that to `own` is returned)
    /// and the errands, and sees to what comes next.
    fn settle(
        self: &Arc<Self>,
        active: &mut Active<C>,
        own: Option<ReplyToken>,
        now: Millis,
    ) -> Option<Answer<ResponseOf<C>>> {
        if !active.host.is_committed()
            && let Ok(bounds) = self.partition.bounds(now)
        {
            active.host.committed(bounds.high_watermark);
        }
        let mut answer_to_own = None;
        for (token, answer) in active.host.take_answers() {
            if Some(token) == own {
                answer_to_own = Some(answer);
            } else if let Some(sender) = active.waiting.remove(&token) {
                // Whoever asked may have gone.
                drop(sender.send(answer));
            }
        }
        for errand in active.host.take_errands() {
            self.coordinator.run_errand(self, errand);
        }
        if !active.host.is_committed() && !active.is_committing {
            active.is_committing = true;
            tokio::spawn(self.clone().commit());
        }
        if let Some(next) = active.host.next_deadline() {
            let next = active.time.monotonic_at(next);
            if active.alarm_at.is_none_or(|at| next < at) {
                active.alarm_at = Some(next);
                self.alarm.set(self, next);
            }
        }
        answer_to_own
    }

    /// Waits for the disk until everything that was appended is on it.
    async fn commit(self: Arc<Self>) {
        loop {
            let wait = AckWait::new();
            let asked = self.partition.make_visible(&wait, clock::now());
            wait.release();
            let is_on_disk = asked.is_ok() && wait.settled().await;
            if !is_on_disk {
                self.give_up(ErrorCode::NotCoordinator);
                return;
            }
            let mut state = self.state.lock();
            let State::Ready(active) = &mut *state else {
                return;
            };
            let now = active.now();
            self.settle(active, None, now);
            if active.host.is_committed() {
                active.is_committing = false;
                return;
            }
        }
    }
}

fn deliver<R>(mut waiting: Waiting<R>, answers: Vec<(ReplyToken, Answer<R>)>) {
    for (token, answer) in answers {
        if let Some(sender) = waiting.remove(&token) {
            drop(sender.send(answer));
        }
    }
}
