//! Signals that ask a tool to end: the first one in good order, the second at once.

use std::fs;
use std::io;
use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::stop::Stop;
use crate::terminal;

pub(crate) struct Signals(watch::Receiver<Option<u8>>);

impl Signals {
    /// Begins to listen. Must be called within a tokio runtime.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut all = All {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            // `nohup` has it ignored, and means it.
            hangup: match is_ignored(SignalKind::hangup()) {
                true => None,
                false => Some(signal(SignalKind::hangup())?),
            },
        };
        let (sender, first) = watch::channel(None);
        tokio::spawn(async move {
            let status = all.next().await;
            sender.send_replace(Some(status));
            // Output that nobody takes or a broker that is gone may hold up the good order.
            let status = all.next().await;
            terminal::give_back_soon();
            process::exit(i32::from(status));
        });
        Ok(Self(first))
    }

    /// The exit status that the first signal asks for.
    pub(crate) async fn first(&mut self) -> u8 {
        match self.0.wait_for(Option::is_some).await {
            Ok(status) => status.unwrap_or(1),
            Err(_) => std::future::pending().await,
        }
    }

    /// Does work as long as no signal comes; one ends it where it waits, with the status that it asks for.
    pub(crate) async fn allow<T>(
        &mut self,
        work: impl Future<Output = Result<T, Stop>>,
    ) -> Result<T, Stop> {
        tokio::select! {
            biased;
            status = self.first() => Err(Stop::Status(status)),
            done = work => done,
        }
    }
}

struct All {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl All {
    /// 128 and the signal's number.
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 130,
            _ = self.terminate.recv() => 143,
            Some(_) = received(&mut self.hangup) => 129,
        }
    }
}

async fn received(signal: &mut Option<Signal>) -> Option<()> {
    signal.as_mut()?.recv().await
}

/// Whether whoever started this process has had it ignore the signal.
fn is_ignored(kind: SignalKind) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.unwrap_or(0) & (1 << (kind.as_raw_value() - 1)) != 0
}
