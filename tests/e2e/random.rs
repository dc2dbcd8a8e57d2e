//! Random choices that `OTTLA_SEED` repeats (splitmix64); the seed is printed, and a test that fails shows it.
#![allow(clippy::print_stderr)]

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn from_environment() -> Random {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let seed = number("OTTLA_SEED").unwrap_or(now.as_secs());
        eprintln!("OTTLA_SEED={seed}");
        Random(seed)
    }

    /// Choices of its own for somebody else.
    pub(crate) fn fork(&mut self) -> Random {
        Random(self.below(u64::MAX))
    }

    /// Of `0..end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    /// Lets a random while pass: what is being broken goes on meanwhile, and any moment is as good as another.
    pub(crate) fn pause_up_to_us(&mut self, end: u64) {
        thread::sleep(Duration::from_micros(self.below(end)));
    }
}

/// A variable of the environment.
pub(crate) fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is no number")),
    )
}
