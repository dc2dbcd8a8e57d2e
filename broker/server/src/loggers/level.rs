//! Levels by the names that they have in the reference.

use tracing::level_filters::LevelFilter;

/// A level by its name in the reference. Nothing that is logged here is fatal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Level(pub(super) &'static str, pub(super) LevelFilter);

impl Level {
    /// Those that can be set, by name.
    pub(super) const ALL: [Self; 6] = [
        Self("DEBUG", LevelFilter::DEBUG),
        Self("ERROR", LevelFilter::ERROR),
        Self("FATAL", LevelFilter::OFF),
        Self("INFO", LevelFilter::INFO),
        Self("TRACE", LevelFilter::TRACE),
        Self("WARN", LevelFilter::WARN),
    ];

    pub(super) fn of(filter: LevelFilter) -> Self {
        let mut levels = Self::ALL.into_iter();
        let found = levels.find(|level| level.1 == filter && filter != LevelFilter::OFF);
        found.unwrap_or(Self("OFF", LevelFilter::OFF))
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.0 == name)
    }
}
