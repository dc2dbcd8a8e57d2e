//! The task behind one connection: writes requests in the order they were handed over and gives each reply to
//! whoever waits for it.
//!
//! Always: replies come in request order, so the oldest waiting request is the one that is answered, and a
//! correlation id that says otherwise ends the connection. Every handed-over request gets exactly one outcome.
//! Not here: what requests mean, timeouts of a single request (its caller has them), reconnecting.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc, oneshot};

use super::{
    Fault,
    frame::{ChunkQueue, FrameFault, FrameReader},
    transport::WriteHalf,
};

/// Requests handed over and not yet written. Callers bound what they keep in flight well below this.
pub(super) const QUEUE_LENGTH: usize = 256;

/// A frame to be written, and who wants to hear of it.
pub(super) struct Outgoing {
    pub(super) correlation_id: i32,
    pub(super) chunks: Vec<Bytes>,
    pub(super) expects: Expects,
    pub(super) outcome: oneshot::Sender<Result<Bytes, Fault>>,
}

/// What ends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expects {
    Reply,
    /// No reply comes (`acks=0`): written is done.
    Nothing,
}

/// What the handle and its task share.
#[derive(Default)]
pub(super) struct Shared {
    /// Why the connection ended, once it has.
    fault: OnceLock<Fault>,
    stop: Notify,
    waiting: Mutex<VecDeque<Waiting>>,
}

struct Waiting {
    correlation_id: i32,
    outcome: oneshot::Sender<Result<Bytes, Fault>>,
}

impl Shared {
    pub(super) fn fault(&self) -> Option<&Fault> {
        self.fault.get()
    }

    /// Ends the connection with this reason; the first reason stays.
    pub(super) fn end(&self, fault: Fault) {
        if self.fault.set(fault).is_ok() {
            self.stop.notify_one();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs until the peer closes, something breaks, `Shared::end` is called, or every handle is gone.
pub(super) async fn run(
    shared: Arc<Shared>,
    mut requests: mpsc::Receiver<Outgoing>,
    mut reader: FrameReader,
    mut writer: WriteHalf,
    response_bytes_max: usize,
) {
    let fault = tokio::select! {
        fault = read_replies(&shared, &mut reader, response_bytes_max) => fault,
        fault = write_requests(&shared, &mut requests, &mut writer) => fault,
        () = shared.stop.notified() => Fault::Ended,
    };
    let fault = shared.fault.get_or_init(|| fault).clone();
    // From here on `start` refuses, so that the queue can be emptied for good.
    requests.close();
    for waiting in shared.waiting().drain(..) {
        let _ = waiting.outcome.send(Err(fault.clone()));
    }
    while let Ok(outgoing) = requests.try_recv() {
        let _ = outgoing.outcome.send(Err(fault.clone()));
    }
}

async fn write_requests(
    shared: &Shared,
    requests: &mut mpsc::Receiver<Outgoing>,
    writer: &mut WriteHalf,
) -> Fault {
    let mut frames = ChunkQueue::default();
    let mut written = Vec::new();
    while let Some(first) = requests.recv().await {
        // What queued up meanwhile goes out in the same write.
        let mut next = Some(first);
        while let Some(outgoing) = next {
            enqueue(shared, outgoing, &mut frames, &mut written);
            next = requests.try_recv().ok();
        }
        if let Err(error) = frames.write_to(writer).await {
            return Fault::Io(error.to_string());
        }
        for outcome in written.drain(..) {
            let _ = outcome.send(Ok(Bytes::new()));
        }
    }
    Fault::Ended
}

fn enqueue(
    shared: &Shared,
    outgoing: Outgoing,
    frames: &mut ChunkQueue,
    written: &mut Vec<oneshot::Sender<Result<Bytes, Fault>>>,
) {
    for chunk in outgoing.chunks {
        frames.push(chunk);
    }
    match outgoing.expects {
        // Before the bytes go out: the reply may be here before the write returns.
        Expects::Reply => shared.waiting().push_back(Waiting {
            correlation_id: outgoing.correlation_id,
            outcome: outgoing.outcome,
        }),
        Expects::Nothing => written.push(outgoing.outcome),
    }
}

async fn read_replies(
    shared: &Shared,
    reader: &mut FrameReader,
    response_bytes_max: usize,
) -> Fault {
    loop {
        let frame = match reader.next(response_bytes_max).await {
            Ok(frame) => frame,
            Err(fault) => return of_frame(fault, response_bytes_max),
        };
        let Some(correlation_id) = frame.first_chunk().map(|bytes| i32::from_be_bytes(*bytes))
        else {
            return Fault::Protocol("a response without a correlation id".to_owned());
        };
        let Some(waiting) = shared.waiting().pop_front() else {
            return Fault::Protocol(format!(
                "a response (correlation id {correlation_id}) that nobody asked for"
            ));
        };
        if waiting.correlation_id != correlation_id {
            let expected = waiting.correlation_id;
            let fault = Fault::Protocol(format!(
                "correlation id {correlation_id} came where {expected} was due"
            ));
            let _ = waiting.outcome.send(Err(fault.clone()));
            return fault;
        }
        // Whoever gave up waiting has dropped the receiver; the reply is then of no use to anybody.
        let _ = waiting.outcome.send(Ok(frame));
    }
}

fn of_frame(fault: FrameFault, response_bytes_max: usize) -> Fault {
    match fault {
        FrameFault::Closed { .. } => Fault::Closed,
        FrameFault::Io(error) => Fault::Io(error.to_string()),
        FrameFault::Size { size, .. } => Fault::Protocol(format!(
            "a response of {size} bytes, at most {response_bytes_max} are accepted"
        )),
    }
}
