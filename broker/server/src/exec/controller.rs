//! Hosts the controller: the machine of `ottla_coordination::controller` on the metadata log.
//!
//! Always: a command is decided on the task that brings it, under one lock; it is answered once its records are on
//! disk and the image that they make is published, in every durability. One flush runs at a time and covers all that
//! was appended before it (group commit), so a thousand commands cost a few syncs.
//! Deliberately not here: what is decided, and what the log looks like on disk.

use std::collections::HashMap;
use std::sync::Arc;

use ottla_coordination::controller::{self, Command, Controller, MetadataImage, Response};
use ottla_coordination::{Answer, Host, Loading, ReplyToken};
use ottla_log::log::{FlushTicket, Flushed};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::voters_record::Endpoint;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tracing::{error, warn};

use super::config_rules::Rules;
use super::metadata_log::{MetadataLog, Quorum};
use crate::broker::Broker;
use crate::clock;

/// A clean stop writes a snapshot if replaying the log would take longer than that.
const SNAPSHOT_AT_STOP_BYTES: u64 = 1 << 20;

pub(crate) struct ControllerHost {
    state: Mutex<State>,
    /// Held while flushing: images are published one at a time, in order.
    flushing: Mutex<()>,
    snapshot_bytes: u64,
}

struct State {
    /// None once the log has failed or is closed.
    active: Option<Active>,
    waiting: HashMap<ReplyToken, oneshot::Sender<Answer<Response>>>,
    last_token: u64,
    /// Somebody is flushing, or about to, and will see what is appended now.
    is_flushing: bool,
}

struct Active {
    host: Host<Controller>,
    log: MetadataLog,
}

impl ControllerHost {
    /// Puts the controller in service on a log that was just opened. `snapshot_bytes` is the most that the log may
    /// grow by before the next snapshot.
    pub(crate) fn new(
        mut log: MetadataLog,
        image: MetadataImage,
        settings: controller::Settings,
        rules: Rules,
        snapshot_bytes: u64,
    ) -> Self {
        // What the log held was read back from disk; the opening of the epoch is not on disk yet.
        let committed_end = image.end();
        let machine = Controller::with_image(settings, Box::new(rules), image);
        let end = log.end();
        let host = Loading::new(machine).finish(clock::now(), end, committed_end, &mut log);
        let state = State {
            active: Some(Active { host, log }),
            waiting: HashMap::new(),
            last_token: 0,
            is_flushing: false,
        };
        Self {
            state: Mutex::new(state),
            flushing: Mutex::new(()),
            snapshot_bytes,
        }
    }

    /// Has the controller decide, and waits until what it decided is durable and published.
    pub(crate) async fn ask(&self, broker: &Arc<Broker>, command: Command) -> Answer<Response> {
        let (receiver, must_flush) = self.submit(command);
        if must_flush {
            let broker = broker.clone();
            tokio::task::spawn_blocking(move || broker.controller.flush(&broker));
        }
        receiver.await.unwrap_or(Err(ErrorCode::NotController))
    }

    /// The offset that the next record gets.
    pub(crate) fn log_end(&self) -> Option<i64> {
        let state = self.state.lock();
        state.active.as_ref().map(|active| active.log.end().0)
    }

    /// The level of the feature that the quorum keeps.
    pub(crate) fn kraft_version(&self) -> i16 {
        let state = self.state.lock();
        let active = state.active.as_ref();
        active.map_or(0, |active| active.log.kraft_version())
    }

    /// Raises the level of that feature, and answers when that is durable. The quorum goes by the voters in its log then.
    pub(crate) fn raise_kraft_version(&self, broker: &Broker, level: i16) -> Result<(), ErrorCode> {
        let endpoint = |endpoint: &crate::settings::Endpoint| Endpoint {
            name: endpoint.name.as_str().into(),
            host: endpoint.host.as_str().into(),
            port: endpoint.port,
            ..Default::default()
        };
        let endpoints = broker.controller_endpoints().map(endpoint).collect();
        let _alone = self.flushing.lock();
        let started = {
            let mut state = self.state.lock();
            let Some(Active { host, log }) = &mut state.active else {
                return Err(ErrorCode::NotController);
            };
            if log.kraft_version() >= level {
                return Ok(());
            }
            if let Err(failure) = log.raise_kraft_version(level, endpoints, clock::now()) {
                error!("the metadata log cannot be written: {failure}");
                return Err(ErrorCode::KafkaStorageError);
            }
            let image = host.machine().image().clone();
            log.start_flush().map(|ticket| (ticket, image))
        };
        let flushed = started.and_then(|(ticket, image)| {
            let flushed = ticket.map(FlushTicket::run).transpose()?;
            Ok((flushed, image))
        });
        match flushed {
            Ok((flushed, image)) => {
                self.finish_flush(broker, image, flushed);
                Ok(())
            }
            Err(failure) => {
                self.fail(broker, &failure);
                Err(ErrorCode::KafkaStorageError)
            }
        }
    }

    /// How the quorum is; None once the log has failed.
    pub(crate) fn quorum(&self) -> Option<Quorum> {
        let state = self.state.lock();
        let active = state.active.as_ref();
        active.map(|active| active.log.quorum())
    }

    /// The state after everything that was decided so far, published or not.
    pub(crate) fn image(&self) -> Option<MetadataImage> {
        let state = self.state.lock();
        let active = state.active.as_ref();
        active.map(|active| active.host.machine().image().clone())
    }

    /// Whether the level of a feature was ever set.
    pub(super) fn has_feature(&self, name: &str) -> bool {
        let state = self.state.lock();
        let image = state
            .active
            .as_ref()
            .map(|active| active.host.machine().image());
        image.is_some_and(|image| image.features().contains_key(name))
    }

    /// Has the controller decide. True in the second place: the caller has to see to a flush.
    pub(super) fn submit(&self, command: Command) -> (oneshot::Receiver<Answer<Response>>, bool) {
        let now = clock::now();
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state.lock();
        state.last_token += 1;
        let token = ReplyToken(state.last_token);
        state.waiting.insert(token, sender);
        let Some(Active { host, log }) = &mut state.active else {
            state.waiting.remove(&token);
            return (receiver, false);
        };
        host.handle(now, token, command, log);
        let must_flush = !host.is_committed();
        state.deliver();
        let must_flush = must_flush && !std::mem::replace(&mut state.is_flushing, must_flush);
        (receiver, must_flush)
    }

    /// Brings everything that was appended to disk, publishes it, and answers; until there is nothing left to flush.
    pub(super) fn flush(&self, broker: &Broker) {
        let _alone = self.flushing.lock();
        while let Some((ticket, image)) = self.start_flush(broker) {
            match ticket.map(FlushTicket::run).transpose() {
                Ok(flushed) => {
                    if self.finish_flush(broker, image.clone(), flushed) {
                        self.write_snapshot(broker, image);
                    }
                    self.take_in_directories(broker);
                }
                Err(failure) => self.fail(broker, &failure),
            }
        }
    }

    /// Has the controller note where this node has put new partitions; the flush that runs covers it.
    fn take_in_directories(&self, broker: &Broker) {
        let assignments = broker.storage.take_untold_directories();
        if !assignments.is_empty() {
            // Nobody waits for it: what is not noted is found out again at the next start.
            drop(self.submit(Command::AssignDirectories {
                broker_id: broker.settings.node_id,
                assignments,
            }));
        }
    }

    /// The files to sync, and the image that may be shown afterwards. None: there is nothing to flush.
    fn start_flush(&self, broker: &Broker) -> Option<(Option<FlushTicket>, MetadataImage)> {
        let mut state = self.state.lock();
        let started = match &mut state.active {
            Some(active) if !active.host.is_committed() => {
                let image = active.host.machine().image().clone();
                active.log.start_flush().map(|ticket| Some((ticket, image)))
            }
            _ => Ok(None),
        };
        match started {
            Ok(Some(started)) => Some(started),
            Ok(None) => {
                state.is_flushing = false;
                None
            }
            Err(failure) => {
                state.is_flushing = false;
                drop(state);
                self.fail(broker, &failure);
                None
            }
        }
    }

    /// True if a snapshot is due.
    fn finish_flush(
        &self,
        broker: &Broker,
        image: MetadataImage,
        flushed: Option<Flushed>,
    ) -> bool {
        broker.publish(image);
        let mut state = self.state.lock();
        let Some(Active { host, log }) = &mut state.active else {
            return false;
        };
        let committed_end = flushed.map_or(log.end(), |flushed| log.finish_flush(flushed));
        host.committed(committed_end);
        let is_due = log.bytes_since_snapshot() > self.snapshot_bytes;
        state.deliver();
        is_due
    }

    /// Writes a snapshot beside the log's going on. If that fails the log simply stays longer.
    fn write_snapshot(&self, broker: &Broker, image: MetadataImage) {
        let plan = {
            let state = self.state.lock();
            state
                .active
                .as_ref()
                .and_then(|active| active.log.plan_snapshot(image))
        };
        let Some(plan) = plan else { return };
        let now = clock::now();
        match plan.write(now) {
            Ok(id) => {
                let mut state = self.state.lock();
                let trimmed = match &mut state.active {
                    Some(active) => active.log.snapshot_written(id, now),
                    None => Ok(()),
                };
                drop(state);
                match trimmed {
                    // What the snapshot stands for goes with the next one.
                    Err(failure) if failure.is_full() => warn!("metadata log not cut: {failure}"),
                    Err(failure) => self.fail(broker, &failure),
                    Ok(()) => {}
                }
            }
            Err(failure) => warn!("metadata snapshot not written: {failure}"),
        }
    }

    /// A sync of the metadata log failed: nobody who waits is told otherwise, and the server ends.
    fn fail(&self, broker: &Broker, why: &dyn std::fmt::Display) {
        error!("the metadata log failed: {why}");
        let mut state = self.state.lock();
        if let Some(active) = state.active.take() {
            let answers = active.host.unload(ErrorCode::KafkaStorageError);
            state.send(answers);
        }
        drop(state);
        let dirs = &broker.storage.dirs;
        dirs.fail(dirs.metadata_dir(), why);
    }

    /// Ends the service: flushes, leaves a snapshot where it is worth it, closes the log.
    pub(crate) fn close(&self, broker: &Broker) {
        self.flush(broker);
        let image = {
            let state = self.state.lock();
            let large =
                |active: &&Active| active.log.bytes_since_snapshot() > SNAPSHOT_AT_STOP_BYTES;
            let active = state.active.as_ref().filter(large);
            active.map(|active| active.host.machine().image().clone())
        };
        if let Some(image) = image {
            self.write_snapshot(broker, image);
        }
        let mut state = self.state.lock();
        let Some(active) = state.active.take() else {
            return;
        };
        let answers = active.host.unload(ErrorCode::NotController);
        state.send(answers);
        drop(state);
        if let Err(failure) = active.log.close() {
            let dirs = &broker.storage.dirs;
            dirs.fail(dirs.metadata_dir(), &failure);
        }
    }
}

impl State {
    /// Sends out the answers that became ready.
    fn deliver(&mut self) {
        if let Some(active) = &mut self.active {
            let answers = active.host.take_answers();
            self.send(answers);
        }
    }

    fn send(&mut self, answers: Vec<(ReplyToken, Answer<Response>)>) {
        for (token, answer) in answers {
            if let Some(waiting) = self.waiting.remove(&token) {
                // Whoever asked may have gone.
                drop(waiting.send(answer));
            }
        }
    }
}
