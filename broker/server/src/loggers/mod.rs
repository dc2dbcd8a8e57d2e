//! The loggers whose levels operators see and change while the broker runs, by the names that they have in the reference.
//!
//! Owns: which part of the broker each name stands for, and the level of each.
//! Always: what is logged follows a change at once. A logger without a level of its own has that of the nearest one
//! above it, by the dots in its name, and in the end root's.
//! Deliberately not here: where lines go. Levels are not kept either: the next start begins with those that it is given.

use std::collections::BTreeMap;

use ottla_config::resolve::alter::{Change, Operation};
use ottla_coordination::controller::ApiError;
use ottla_protocol::errors::ErrorCode;
use parking_lot::Mutex;
use tracing::level_filters::LevelFilter;
use tracing::warn;

mod level;
mod names;

use level::Level;
use names::{LOGGERS, ROOT};

/// What is logged: the level of all that no module's name stands for, and of modules.
pub type Install = Box<dyn Fn(LevelFilter, &[(&'static str, LevelFilter)]) + Send + Sync>;

pub struct Loggers {
    /// The levels that loggers have of their own. Root always has one.
    own: Mutex<BTreeMap<&'static str, Level>>,
    install: Install,
}

impl Default for Loggers {
    /// Of a program that logs in its own way, whatever is set here.
    fn default() -> Self {
        Self::new(
            LevelFilter::INFO,
            |_| LevelFilter::INFO,
            Box::new(|_, _| {}),
        )
    }
}

impl Loggers {
    /// `root` and `of_module` are what is logged now; `install` changes it.
    pub fn new(
        root: LevelFilter,
        of_module: impl Fn(&str) -> LevelFilter,
        install: Install,
    ) -> Self {
        let mut own = BTreeMap::from([(ROOT, Level::of(root))]);
        for (name, modules) in LOGGERS {
            let level = modules.iter().map(|module| of_module(module)).max();
            let level = level.map(Level::of);
            if let Some(level) = level.filter(|level| *level != effective(&own, name)) {
                own.insert(name, level);
            }
        }
        Self {
            own: Mutex::new(own),
            install,
        }
    }

    /// Each logger with the name of its level.
    pub(crate) fn levels(&self) -> Vec<(&'static str, &'static str)> {
        let own = self.own.lock();
        let level = |name| (name, effective(&own, name).0);
        names::all().map(level).collect()
    }

    /// Makes the changes, which were checked.
    pub(crate) fn change(&self, changes: &[Change]) {
        let mut own = self.own.lock();
        for change in changes {
            let Some(logger) = names::all().find(|name| *name == change.key) else {
                continue;
            };
            match change.value.as_deref().and_then(Level::parse) {
                Some(level) if change.operation == Operation::Set => {
                    own.insert(logger, level);
                    warn!(logger, level = level.0, "the level of a logger is set");
                }
                _ => {
                    own.remove(logger);
                    warn!(
                        logger,
                        "the level of a logger is that of the one above it again"
                    );
                }
            }
        }
        let level_of = |name| effective(&own, name).1;
        let of_logger = |(name, modules): &(&'static str, &'static [&'static str])| {
            let level = level_of(name);
            modules.iter().map(move |module| (*module, level))
        };
        let modules: Vec<_> = LOGGERS.iter().flat_map(of_logger).collect();
        (self.install)(level_of(ROOT), &modules);
    }
}

/// Whether the change may be made.
pub(crate) fn check(change: &Change) -> Result<(), ApiError> {
    let Change {
        key,
        operation,
        value,
    } = change;
    let refuse = |code, message| Err(ApiError::new(code, message));
    if let Operation::Append | Operation::Subtract = operation {
        let message = format!(
            "{} operation is not allowed for the BROKER_LOGGER resource",
            operation.name()
        );
        return refuse(ErrorCode::InvalidRequest, message);
    }
    if !names::all().any(|name| name == key) {
        let message = format!("Logger {key} does not exist!");
        return refuse(ErrorCode::InvalidConfig, message);
    }
    let level = value.as_deref().unwrap_or_default();
    match operation {
        Operation::Set if Level::parse(level).is_none() => {
            let known = Level::ALL.map(|level| level.0).join(", ");
            let message = format!(
                "Cannot set the log level of {key} to {level} as it is not a supported log level. Valid log levels are \
                 {known}"
            );
            refuse(ErrorCode::InvalidConfig, message)
        }
        Operation::Delete if key == ROOT => {
            let message = format!("Removing the log level of the {ROOT} logger is not allowed");
            refuse(ErrorCode::InvalidRequest, message)
        }
        _ => Ok(()),
    }
}

fn effective(own: &BTreeMap<&'static str, Level>, name: &str) -> Level {
    let mut name = name;
    loop {
        if let Some(level) = own.get(name) {
            return *level;
        }
        name = match name.rsplit_once('.') {
            Some((above, _)) => above,
            None if name != ROOT => ROOT,
            None => return Level::of(LevelFilter::OFF),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    type Installed = Vec<(&'static str, LevelFilter)>;

    /// Loggers at INFO but for the network's, and what was installed last: root first, then modules.
    fn loggers() -> (Loggers, Arc<Mutex<Installed>>) {
        let installed = Arc::new(Mutex::new(Installed::new()));
        let seen = installed.clone();
        let of_module = |module: &str| match module {
            "ottla_server::net" => LevelFilter::DEBUG,
            _ => LevelFilter::INFO,
        };
        let install = move |root, modules: &[(&'static str, LevelFilter)]| {
            *seen.lock() = [&[(ROOT, root)], modules].concat();
        };
        let loggers = Loggers::new(LevelFilter::INFO, of_module, Box::new(install));
        (loggers, installed)
    }

    fn change(key: &str, operation: Operation, value: Option<&str>) -> Change {
        Change {
            key: key.to_owned(),
            operation,
            value: value.map(str::to_owned),
        }
    }

    fn set(key: &str, level: &str) -> Change {
        change(key, Operation::Set, Some(level))
    }

    #[test]
    fn a_logger_without_a_level_of_its_own_has_that_of_the_one_above() {
        let (loggers, installed) = loggers();
        loggers.change(&[set("kafka", "WARN"), set("kafka.server.KafkaApis", "TRACE")]);
        let levels = BTreeMap::from_iter(loggers.levels());
        assert_eq!(levels["root"], "INFO");
        assert_eq!(levels["kafka.cluster.Partition"], "WARN");
        assert_eq!(levels["kafka.server.KafkaApis"], "TRACE");
        // It had one of its own from the start.
        assert_eq!(levels["kafka.network.SocketServer"], "DEBUG");
        assert_eq!(levels["org.apache.kafka"], "INFO");
        let level_of = |module| {
            let installed = installed.lock();
            let found = installed.iter().find(|(it, _)| *it == module);
            found.expect("a module").1
        };
        assert_eq!(level_of("ottla_server::exec::partition"), LevelFilter::WARN);
        assert_eq!(level_of("ottla_server::api"), LevelFilter::TRACE);
        assert_eq!(level_of("ottla_server::exec"), LevelFilter::INFO);

        let back = change("kafka.server.KafkaApis", Operation::Delete, None);
        loggers.change(&[back, set("root", "FATAL")]);
        assert_eq!(level_of("ottla_server::api"), LevelFilter::WARN);
        assert_eq!(level_of("ottla_server::exec"), LevelFilter::OFF);
        assert_eq!(level_of(ROOT), LevelFilter::OFF);
    }

    #[test]
    fn only_levels_of_loggers_that_there_are_can_be_set_and_roots_stays() {
        let told = |change: Change| {
            let error = check(&change).expect_err("a refusal");
            (error.code, error.text().expect("words").to_string())
        };
        use ErrorCode::{InvalidConfig, InvalidRequest};
        use Operation::{Append, Delete, Subtract};
        for (change, code, words) in [
            (
                set("nope", "INFO"),
                InvalidConfig,
                "Logger nope does not exist!",
            ),
            (
                change("nope", Delete, None),
                InvalidConfig,
                "Logger nope does not exist!",
            ),
            (
                set("kafka", "info"),
                InvalidConfig,
                "Cannot set the log level of kafka to info as",
            ),
            (
                set("root", "OFF"),
                InvalidConfig,
                "Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN",
            ),
            (
                change(ROOT, Delete, None),
                InvalidRequest,
                "Removing the log level of the root logger",
            ),
            (
                change("kafka", Append, Some("INFO")),
                InvalidRequest,
                "APPEND operation is not allowed",
            ),
            (
                change("nope", Subtract, Some("x")),
                InvalidRequest,
                "SUBTRACT operation is not allowed",
            ),
        ] {
            let (found, message) = told(change);
            assert_eq!(found, code, "{message}");
            assert!(message.contains(words), "{message}");
        }
        assert!(check(&set(ROOT, "DEBUG")).is_ok());
        assert!(check(&change("kafka", Delete, None)).is_ok());
    }
}
