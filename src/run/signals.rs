//! Signals that are the command's business.

use std::io;

use rustix::process::Signal;
use tokio::signal::unix::{self, SignalKind};

const LISTENED: usize = 6;

pub(super) struct Signals([(Signal, unix::Signal); LISTENED]);

impl Signals {
    /// Begins to listen. Must be called within a tokio runtime.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self([
            (Signal::INT, unix::signal(SignalKind::interrupt())?),
            (Signal::QUIT, unix::signal(SignalKind::quit())?),
            (Signal::TERM, unix::signal(SignalKind::terminate())?),
            (Signal::HUP, unix::signal(SignalKind::hangup())?),
            (Signal::USR1, unix::signal(SignalKind::user_defined1())?),
            (Signal::USR2, unix::signal(SignalKind::user_defined2())?),
        ]))
    }

    pub(super) async fn next(&mut self) -> Signal {
        let [a, b, c, d, e, f] = &mut self.0;
        tokio::select! {
            _ = a.1.recv() => a.0,
            _ = b.1.recv() => b.0,
            _ = c.1.recv() => c.0,
            _ = d.1.recv() => d.0,
            _ = e.1.recv() => e.0,
            _ = f.1.recv() => f.0,
        }
    }
}

/// The exit status of what a signal ended.
pub(super) fn status(signal: Signal) -> u8 {
    u8::try_from(128 + signal.as_raw()).unwrap_or(u8::MAX)
}
