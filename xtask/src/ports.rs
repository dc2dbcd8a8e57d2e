//! Ports for servers that must be told one before they start.
//!
//! Always: below those that systems give to whoever asks for any (from 32768 on Linux), so that no client takes one between
//! the look and the start, and none that knocks while its server is away connects to itself. Each look begins behind the one
//! before, so that what was found and is not yet in use stays free.

use std::net::TcpListener;
use std::ops::Range;
use std::process;
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, bail};

const RANGE: Range<u16> = 15_000..30_000;

/// How many were looked at by this process, by one caller at a time.
static LOOKED_AT: Mutex<u32> = Mutex::new(0);

pub(crate) fn free() -> Result<u16> {
    free_with(&[])
}

/// A port that is free together with those that lie so far behind it.
pub(crate) fn free_with(others: &[u16]) -> Result<u16> {
    let len = u32::from(RANGE.end - RANGE.start);
    // Processes that run side by side begin at other places.
    let begin = process::id().wrapping_mul(97);
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let mut looked_at = LOOKED_AT.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..len {
        let port = RANGE.start + u16::try_from(begin.wrapping_add(*looked_at) % len)?;
        *looked_at += 1;
        if is_free(port) && others.iter().all(|other| is_free(port + other)) {
            let span = others.iter().max().copied().unwrap_or(0);
            *looked_at += u32::from(span);
            return Ok(port);
        }
    }
    bail!("no port is free")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_found_by_nobody_and_one_that_was_found_by_nobody_else() {
        let first = free_with(&[1, 10]).expect("a port");
        let taken = TcpListener::bind(("127.0.0.1", first + 11)).expect("the next one");
        let mut found: Vec<u16> = (0..50).map(|_| free().expect("a port")).collect();
        assert!(!found.contains(&(first + 11)), "in use: {taken:?}");
        assert!(
            ![0, 1, 10]
                .iter()
                .any(|other| found.contains(&(first + other)))
        );
        assert!(found.iter().all(|port| RANGE.contains(port)));
        found.dedup();
        assert_eq!(found.len(), 50);
    }
}
