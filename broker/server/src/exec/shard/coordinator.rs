//! What one kind of coordinator has of its own; everything else its shards do alike.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use ottla_coordination::txn::Verification;
use ottla_coordination::{Answer, Loading, Machine};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::records::{BatchHeader, OwnedRecord};
use ottla_protocol::types::{Millis, Offset};
use tokio::sync::oneshot;

use super::Shard;
use crate::exec::partition::Partition;

pub(crate) type CommandOf<C> = <<C as Coordinator>::Machine as Machine>::Command;
pub(crate) type RecordOf<C> = <<C as Coordinator>::Machine as Machine>::Record;
pub(crate) type ResponseOf<C> = <<C as Coordinator>::Machine as Machine>::Response;
pub(crate) type ErrandOf<C> = <<C as Coordinator>::Machine as Machine>::Errand;

/// How the machines on the partitions of one internal topic are made, loaded, written and served.
pub(crate) trait Coordinator: Send + Sync + Sized + 'static {
    type Machine: Machine<Command: Send, Response: Send, Timer: Send, Errand: Send> + Send;

    /// The internal topic, one machine for each of its partitions.
    const TOPIC: &'static str;

    /// A machine that knows nothing yet.
    fn machine(&self, partition: &Partition) -> Self::Machine;

    /// Hands a record of the log on to the machine. What cannot be read is passed over with a warning: some client wrote
    /// it, and that is no reason to lose everything else.
    fn load_record(
        loading: &mut Loading<Self::Machine>,
        header: &BatchHeader,
        record: OwnedRecord,
    ) -> Result<(), String>;

    /// Hands a control batch of the log on to the machine.
    fn load_control(_: &mut Loading<Self::Machine>, _: &BatchHeader, _: &Bytes) {}

    /// What a loaded machine is told first. Asked when nothing that others tell it can be missed any more.
    fn first_command(&self) -> Option<CommandOf<Self>>;

    /// Appends a machine's records to its partition, all or none; the offset of the first. Those of a producer's
    /// transaction have to show something for it.
    fn append(
        partition: &Arc<Partition>,
        now: Millis,
        records: &[RecordOf<Self>],
        verification: Verification,
    ) -> Result<Offset, ErrorCode>;

    /// Goes and does what the machine wants done. The shard is locked meanwhile: what takes time, and what asks the
    /// machine anything, is a task of its own.
    fn run_errand(&self, shard: &Arc<Shard<Self>>, errand: ErrandOf<Self>);
}

/// The answer to a command, or where it will come.
pub(crate) enum Asked<R> {
    Now(Answer<R>),
    Later(oneshot::Receiver<Answer<R>>),
    /// From whoever asks for as long as it takes.
    Repeated(Pin<Box<dyn Future<Output = Answer<R>> + Send>>),
}

impl<R> Asked<R> {
    pub(crate) async fn answer(self) -> Answer<R> {
        match self {
            Self::Now(answer) => answer,
            Self::Later(receiver) => receiver.await.unwrap_or(Err(ErrorCode::NotCoordinator)),
            Self::Repeated(answer) => answer.await,
        }
    }
}
