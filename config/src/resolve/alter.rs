//! Changes to the texts of a topic, group or broker: how the operations of IncrementalAlterConfigs combine, and
//! whether what comes out may stand.

use std::collections::BTreeSet;

use crate::def::{Table, Type, UpdateMode};
use crate::error::ConfigError;
use crate::resolve::broker::{BrokerConfig, Texts};
use crate::resolve::describe::broker_def;
use crate::value::Value;
use crate::{broker, group, topic};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Set,
    Delete,
    Append,
    Subtract,
}

impl Operation {
    /// The number in a request.
    pub fn from_wire_id(id: i8) -> Option<Self> {
        match id {
            0 => Some(Operation::Set),
            1 => Some(Operation::Delete),
            2 => Some(Operation::Append),
            3 => Some(Operation::Subtract),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Operation::Set => "SET",
            Operation::Delete => "DELETE",
            Operation::Append => "APPEND",
            Operation::Subtract => "SUBTRACT",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub key: String,
    pub operation: Operation,
    pub value: Option<String>,
}

/// The texts after the changes; nothing is checked but that the operations make sense.
pub fn apply(table: &Table, current: &Texts, changes: &[Change]) -> Result<Texts, ConfigError> {
    let keys: BTreeSet<&str> = changes.iter().map(|change| change.key.as_str()).collect();
    if keys.len() < changes.len() {
        return Err(ConfigError::DuplicateKeys);
    }
    let lacks_value =
        |change: &&Change| change.operation != Operation::Delete && change.value.is_none();
    let nulls: Vec<&str> = changes
        .iter()
        .filter(lacks_value)
        .map(|change| change.key.as_str())
        .collect();
    if !nulls.is_empty() {
        return Err(ConfigError::NullValue {
            keys: nulls.join(", "),
        });
    }
    let mut texts = current.clone();
    for change in changes {
        match combine(table, current.get(&change.key), change)? {
            Some(text) => texts.insert(change.key.clone(), text),
            None => texts.remove(&change.key),
        };
    }
    Ok(texts)
}

fn combine(
    table: &Table,
    current: Option<&String>,
    change: &Change,
) -> Result<Option<String>, ConfigError> {
    let value = change.value.as_deref().unwrap_or_default();
    let is_append = match change.operation {
        Operation::Set => return Ok(Some(value.to_owned())),
        Operation::Delete => return Ok(None),
        Operation::Append => true,
        Operation::Subtract => false,
    };
    let Some(def) = table.lookup(&change.key).filter(|def| def.ty == Type::List) else {
        return Err(ConfigError::NotAList {
            operation: change.operation.name(),
            key: change.key.clone(),
        });
    };
    let old = current
        .map(String::as_str)
        .or(def.default_text())
        .unwrap_or_default();
    let mut items: Vec<&str> = old.split(',').filter(|item| !item.is_empty()).collect();
    for item in value.split(',') {
        match items.iter().position(|known| *known == item) {
            None if is_append => items.push(item),
            Some(index) if !is_append => {
                items.remove(index);
            }
            _ => {}
        }
    }
    Ok(Some(items.join(",")))
}

impl BrokerConfig {
    /// Whether a topic may have these texts of its own.
    pub fn check_topic(&self, texts: &Texts) -> Result<(), ConfigError> {
        check_each(&topic::TABLE, texts)?;
        let settings = self.topic_settings(texts);
        let (min, max) = (
            settings.number("min.compaction.lag.ms"),
            settings.number("max.compaction.lag.ms"),
        );
        if min > max {
            return Err(ConfigError::Conflict(format!(
                "conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms ({max})"
            )));
        }
        if settings.boolean("remote.storage.enable")
            && !self.settings().boolean("remote.log.storage.system.enable")
        {
            return Err(ConfigError::Conflict(
                "Tiered Storage functionality is disabled in the broker. \
                 Topic cannot be configured with remote log storage."
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// Whether a group may have these texts of its own: each within the broker's bounds, and a session longer than the
    /// time between heartbeats.
    pub fn check_group(&self, texts: &Texts) -> Result<(), ConfigError> {
        check_each(&group::TABLE, texts)?;
        for def in group::TABLE.iter().filter(|def| def.ty == Type::Int) {
            if let Some(number) = self.group_number(def.key, texts) {
                self.check_group_bounds(def.key, number)?;
            }
        }
        for family in ["consumer", "share", "streams"] {
            let (session, heartbeat) = (
                format!("{family}.session.timeout.ms"),
                format!("{family}.heartbeat.interval.ms"),
            );
            if self.group_number(&session, texts) <= self.group_number(&heartbeat, texts) {
                return Err(ConfigError::Conflict(format!(
                    "{session} must be greater than {heartbeat}"
                )));
            }
        }
        Ok(())
    }

    fn group_number(&self, key: &str, texts: &Texts) -> Option<i64> {
        let def = group::lookup(key)?;
        let text = texts.get(key).cloned().or_else(|| self.default_of(def))?;
        def.parse(&text).ok().as_ref().and_then(Value::as_i64)
    }

    fn check_group_bounds(&self, key: &str, number: i64) -> Result<(), ConfigError> {
        let Some((family, rest)) = key.split_once('.') else {
            return Ok(());
        };
        let bound = |end: &str| {
            // The bound of streams.num.standby.replicas is called group.streams.max.standby.replicas.
            let name = format!("group.{family}.{end}.{}", rest.trim_start_matches("num."));
            broker::lookup(&name).map(|def| (def.key, self.settings().number(def.key)))
        };
        match (bound("min"), bound("max")) {
            (Some((name, min)), _) if number < min => Err(ConfigError::Conflict(format!(
                "{key} must be greater than or equal to {name}"
            ))),
            (_, Some((name, max))) if number > max => Err(ConfigError::Conflict(format!(
                "{key} must be less than or equal to {name}"
            ))),
            _ => Ok(()),
        }
    }

    /// Whether these texts may hold at run time, for this broker or for all; gives the configuration that then holds.
    pub fn check_broker(
        &self,
        texts: &Texts,
        all_brokers: bool,
    ) -> Result<BrokerConfig, ConfigError> {
        let named = |wrong: &dyn Fn(&str) -> bool| -> Option<String> {
            let keys: Vec<&str> = texts
                .keys()
                .map(String::as_str)
                .filter(|key| wrong(key))
                .collect();
            (!keys.is_empty()).then(|| keys.join(", "))
        };
        let mode = |key: &str| broker_def(key).map(|def| def.update);
        if let Some(keys) = named(&|key| mode(key) == Some(UpdateMode::ReadOnly)) {
            return Err(ConfigError::ReadOnly { keys });
        }
        if let Some(keys) =
            named(&|key| key.starts_with("ssl.") && mode(key) == Some(UpdateMode::PerBroker))
        {
            return Err(ConfigError::ListenerPrefixMissing { keys });
        }
        if let Some(keys) = named(&|key| all_brokers && mode(key) == Some(UpdateMode::PerBroker)) {
            return Err(ConfigError::PerBrokerOnly { keys });
        }
        for (key, text) in texts {
            if let Some(def) = broker_def(key) {
                def.parse(text)?;
            }
        }
        let altered = if all_brokers {
            self.with_dynamic(texts.clone(), self.dynamic.clone())
        } else {
            self.with_dynamic(self.dynamic_defaults.clone(), texts.clone())
        }?;
        self.check_cleaner_threads(&altered)?;
        Ok(altered)
    }

    /// The number changes by half or double at most, as in the reference.
    fn check_cleaner_threads(&self, altered: &BrokerConfig) -> Result<(), ConfigError> {
        let threads = |config: &BrokerConfig| config.settings().number("log.cleaner.threads");
        let (now, then) = (threads(self), threads(altered));
        let refusal = if then == now {
            return Ok(());
        } else if then < 1 {
            "Log cleaner threads should be at least 1".to_owned()
        } else if then < now / 2 {
            format!(
                "Log cleaner threads cannot be reduced to less than half the current value {now}"
            )
        } else if then > now * 2 {
            format!(
                "Log cleaner threads cannot be increased to more than double the current value {now}"
            )
        } else {
            return Ok(());
        };
        Err(ConfigError::Conflict(refusal))
    }
}

fn check_each(table: &'static Table, texts: &Texts) -> Result<(), ConfigError> {
    if let Some(key) = texts.keys().find(|key| table.lookup(key).is_none()) {
        return Err(ConfigError::Unknown {
            kind: table.kind,
            key: key.clone(),
        });
    }
    for (key, text) in texts {
        if let Some(def) = table.lookup(key) {
            def.parse(text)?;
        }
    }
    Ok(())
}
