//! The contract of every state machine here.
//!
//! A machine has hard state, which only `apply` changes and which replaying its records rebuilds, and soft state
//! (timers, parked requests, pending members), which may vanish whenever the machine moves or restarts.
//! Time, ids and random numbers come in with the command. What a machine wants from the world it says in
//! [`Effects`]; what that list lacks, no machine can do.

use std::fmt::Debug;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{Millis, Offset};

use crate::effects::{Effects, ReplyToken};

pub trait Machine: Sized {
    /// A request in values: never an API version, never bytes that still need decoding.
    type Command;
    /// What goes to the log.
    type Record: Clone + Debug;
    /// What a token is answered with.
    type Response: Debug;
    /// Names one of the machine's timers. Arming a name again moves it.
    type Timer: Clone + Debug + Ord;
    /// What the shell is sent out for; what came of it, it tells with a command. `Infallible` where there is nothing.
    type Errand: Debug;

    /// Decides. Answers `token` now, with the records it appends, or parks it in soft state; exactly once in all.
    fn handle(
        &mut self,
        now: Millis,
        token: ReplyToken,
        command: Self::Command,
        out: &mut Effects<Self>,
    );

    /// The timer's time has come; it is no longer armed.
    fn on_timer(&mut self, now: Millis, timer: Self::Timer, out: &mut Effects<Self>);

    /// Makes a record part of the hard state: live right after it was appended, and when loading.
    fn apply(&mut self, offset: Offset, record: &Self::Record);

    /// All records are loaded; arms the timers that the hard state asks for.
    fn on_loaded(&mut self, now: Millis, out: &mut Effects<Self>);

    /// The log refused these records, so `apply` was not called for them. The tokens that were to be answered with
    /// them have got the error; here the machine takes back what it changed in its soft state.
    fn on_append_failed(
        &mut self,
        now: Millis,
        records: &[Self::Record],
        error: ErrorCode,
        out: &mut Effects<Self>,
    );

    /// What a client is told when the log answers `error`.
    fn client_error(error: ErrorCode) -> ErrorCode {
        error
    }
}

/// What a client of a coordinator is told when the log of the coordinator's partition answers `error`.
#[must_use]
pub fn coordinator_error(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::UnknownTopicOrPartition
        | ErrorCode::NotEnoughReplicas
        | ErrorCode::NotEnoughReplicasAfterAppend
        | ErrorCode::RequestTimedOut => ErrorCode::CoordinatorNotAvailable,
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        ErrorCode::MessageTooLarge
        | ErrorCode::RecordListTooLarge
        | ErrorCode::InvalidFetchSize => ErrorCode::UnknownServerError,
        other => other,
    }
}
