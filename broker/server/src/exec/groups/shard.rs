//! One partition of `__consumer_offsets` and the machine on it.
//!
//! Always: whoever asked gets one answer; a machine writes only while its state is `Ready`, so nothing is appended
//! after `give_up`. Where records have to be on disk first, one task at a time waits for that, for everybody.
//! The machine knows the wall clock only; when that is moved, its timers are moved along, so that nobody's session ends
//! early or lives for ever.

use std::collections::HashMap;
use std::sync::Arc;

use ottla_coordination::group::{Command, GroupMachine, GroupRecord, Response};
use ottla_coordination::{Answer, Host, Log, ReplyToken};
use ottla_protocol::compress::Compression;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::types::{Millis, Offset};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tracing::error;

use super::Asked;
use super::alarm::Alarm;
use super::cluster::Cluster;
use super::wall_time::WallTime;
use crate::clock;
use crate::exec::partition::{Acks, Append, Partition};
use crate::exec::waits::AckWait;

pub(super) struct Shard {
    partition: Arc<Partition>,
    state: Mutex<State>,
}

enum State {
    Loading,
    Ready(Box<Active>),
    /// Cannot be served any more; everybody gets this error.
    Gone(ErrorCode),
}

struct Active {
    host: Host<GroupMachine>,
    waiting: HashMap<ReplyToken, oneshot::Sender<Answer<Response>>>,
    last_token: u64,
    /// A task waits for the disk and will say what is committed.
    is_committing: bool,
    /// When the alarm is set to ring for this machine, by the monotonic clock; never later than its next timer.
    alarm_at: Option<Millis>,
    time: WallTime,
}

impl Active {
    /// The wall clock's time, of which the machine's timers have been told.
    fn now(&mut self) -> Millis {
        let (now, moved) = self.time.read(clock::now(), clock::monotonic());
        if let Some(by) = moved {
            self.host.clock_moved(by);
        }
        now
    }
}

impl Shard {
    pub(super) fn new(partition: Arc<Partition>) -> Self {
        Self {
            partition,
            state: Mutex::new(State::Loading),
        }
    }

    pub(super) fn partition(&self) -> &Arc<Partition> {
        &self.partition
    }

    /// Where the machine's records go.
    pub(super) fn log(&self) -> ShardLog<'_> {
        ShardLog(&self.partition)
    }

    /// Puts a loaded machine in service, with what is known of the cluster.
    pub(super) fn serve(
        self: &Arc<Self>,
        host: Host<GroupMachine>,
        alarm: &Arc<Alarm>,
        cluster: &Cluster,
    ) {
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
        let known = Command::ClusterChanged((*cluster.current()).clone());
        active.last_token += 1;
        let token = ReplyToken(active.last_token);
        active.host.handle(now, token, known, &mut self.log());
        self.settle(&mut active, Some(token), alarm, now);
        *state = State::Ready(active);
    }

    /// Takes the machine out of service for good.
    pub(super) fn give_up(&self, error: ErrorCode) {
        let state = std::mem::replace(&mut *self.state.lock(), State::Gone(error));
        if let State::Ready(active) = state {
            let Active { host, waiting, .. } = *active;
            deliver(waiting, host.unload(error));
        }
    }

    pub(super) fn ask(self: &Arc<Self>, alarm: &Arc<Alarm>, command: Command) -> Asked {
        let mut state = self.state.lock();
        let active = match &mut *state {
            State::Ready(active) => active,
            State::Loading => return Asked::Now(Err(ErrorCode::CoordinatorLoadInProgress)),
            State::Gone(error) => return Asked::Now(Err(*error)),
        };
        let now = active.now();
        active.last_token += 1;
        let token = ReplyToken(active.last_token);
        active.host.handle(now, token, command, &mut self.log());
        if let Some(answer) = self.settle(active, Some(token), alarm, now) {
            return Asked::Now(answer);
        }
        let (sender, receiver) = oneshot::channel();
        active.waiting.insert(token, sender);
        Asked::Later(receiver)
    }

    /// Fires the timers that are due.
    pub(super) fn ring(self: &Arc<Self>, alarm: &Arc<Alarm>) {
        if let State::Ready(active) = &mut *self.state.lock() {
            let now = active.now();
            active.alarm_at = None;
            active.host.advance(now, &mut self.log());
            self.settle(active, None, alarm, now);
        }
    }

    /// After every step of the machine: tells it what is committed, sends out the answers (that to `own` is returned),
    /// and sees to what comes next.
    fn settle(
        self: &Arc<Self>,
        active: &mut Active,
        own: Option<ReplyToken>,
        alarm: &Arc<Alarm>,
        now: Millis,
    ) -> Option<Answer<Response>> {
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
        if !active.host.is_committed() && !active.is_committing {
            active.is_committing = true;
            tokio::spawn(self.clone().commit(alarm.clone()));
        }
        if let Some(next) = active.host.next_deadline() {
            let next = active.time.monotonic_at(next);
            if active.alarm_at.is_none_or(|at| next < at) {
                active.alarm_at = Some(next);
                alarm.set(self, next);
            }
        }
        answer_to_own
    }

    /// Waits for the disk until everything that was appended is on it.
    async fn commit(self: Arc<Self>, alarm: Arc<Alarm>) {
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
            self.settle(active, None, &alarm, now);
            if active.host.is_committed() {
                active.is_committing = false;
                return;
            }
        }
    }
}

fn deliver(
    mut waiting: HashMap<ReplyToken, oneshot::Sender<Answer<Response>>>,
    answers: Vec<(ReplyToken, Answer<Response>)>,
) {
    for (token, answer) in answers {
        if let Some(sender) = waiting.remove(&token) {
            drop(sender.send(answer));
        }
    }
}

/// Encodes a machine's records as one batch and appends it to the partition.
pub(super) struct ShardLog<'a>(&'a Arc<Partition>);

impl Log<GroupRecord> for ShardLog<'_> {
    fn append(&mut self, now: Millis, records: &[GroupRecord]) -> Result<Offset, ErrorCode> {
        let mut builder = BatchBuilder::new(Compression::None);
        for record in records {
            let (key, value) = record.encode();
            builder
                .append(now, Some(&key), value.as_deref(), &[])
                .map_err(|failure| refused(&failure))?;
        }
        let mut batch = builder.build().map_err(|failure| refused(&failure))?;
        let settings = self.0.settings();
        if batch.len() > settings.message_bytes_max {
            return Err(ErrorCode::MessageTooLarge);
        }
        if settings.insync_replicas_min > 1 {
            return Err(ErrorCode::NotEnoughReplicas);
        }
        let how = Append {
            acks: Acks::Leader,
            log_append_time: false,
            producer: None,
        };
        let placed = self.0.append(&mut batch, how, &mut None, now)?;
        Ok(placed.base_offset)
    }
}

fn refused(failure: &dyn std::fmt::Display) -> ErrorCode {
    error!("records of groups cannot be written as one batch: {failure}");
    ErrorCode::MessageTooLarge
}
