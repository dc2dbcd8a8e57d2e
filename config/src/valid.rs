//! What may be written for a key: the validators of Kafka's `ConfigDef`, with their messages and their notation.

use std::fmt;

use crate::error::ConfigError;
use crate::value::{Value, double_text};

/// An end of a range, shown as it is written in the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    Whole(i64),
    Real(f64),
}

impl Bound {
    fn as_f64(self) -> f64 {
        match self {
            Bound::Whole(number) => number as f64,
            Bound::Real(number) => number,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Whole(number) => write!(f, "{number}"),
            Bound::Real(number) => f.write_str(&double_text(*number)),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Valid {
    Any,
    Range {
        min: Bound,
        max: Option<Bound>,
    },
    /// A range and one number outside it.
    RangeOr {
        min: i64,
        max: i64,
        or: i64,
    },
    NonNull,
    NonEmpty,
    OneOf(&'static [&'static str]),
    OneOfIgnoreCase(&'static [&'static str]),
    /// A list without empty or repeated items.
    Items {
        may_be_empty: bool,
    },
    /// Such a list of known items.
    ItemsOf {
        values: &'static [&'static str],
        may_be_empty: bool,
    },
    /// `*`, or partition:broker pairs.
    ThrottledReplicas,
    /// `host:port` entries.
    QuorumServers,
    /// `id@host:port` entries.
    QuorumVoters,
    /// A word, or `by_duration:` and an ISO 8601 duration. The second field is the notation of the message.
    OffsetReset {
        words: &'static [&'static str],
        form: &'static str,
    },
    /// One of two words, where the reference has a message of its own.
    Mode {
        words: [&'static str; 2],
        ignore_case: bool,
    },
}

impl Valid {
    pub(crate) fn check(&self, key: &str, value: &Value) -> Result<(), ConfigError> {
        match self {
            Valid::Any | Valid::NonNull => Ok(()),
            Valid::Range { min, max } => check_range(key, value, *min, *max),
            Valid::RangeOr { min, max, or } => match value.as_i64() {
                Some(number) if number == *or || (*min..=*max).contains(&number) => Ok(()),
                _ => Err(ConfigError::invalid(
                    key,
                    value,
                    format!("Value must be between {min} and {max} or equal to {or}"),
                )),
            },
            Valid::NonEmpty => match value {
                Value::String(text) if text.is_empty() => {
                    Err(ConfigError::invalid(key, value, "String must be non-empty"))
                }
                _ => Ok(()),
            },
            Valid::OneOf(values) => check_one_of(key, &value.to_text(), values),
            Valid::OneOfIgnoreCase(values) => {
                let text = value.to_text();
                if values.iter().any(|known| known.eq_ignore_ascii_case(&text)) {
                    return Ok(());
                }
                let reason = format!(
                    "String must be one of (case insensitive): {}",
                    values.join(", ")
                );
                Err(ConfigError::invalid(key, text, reason))
            }
            Valid::Items { may_be_empty } => {
                check_items(key, items(value), *may_be_empty, "any non-empty value")?;
                if items(value).iter().any(String::is_empty) {
                    return Err(ConfigError::list(key, "values must not be empty."));
                }
                Ok(())
            }
            Valid::ItemsOf {
                values,
                may_be_empty,
            } => {
                let items = items(value);
                check_items(
                    key,
                    items,
                    *may_be_empty,
                    &format!("[{}]", values.join(", ")),
                )?;
                items
                    .iter()
                    .try_for_each(|item| check_one_of(key, item, values))
            }
            Valid::ThrottledReplicas => check_throttled_replicas(key, value),
            Valid::QuorumServers => items(value)
                .iter()
                .try_for_each(|entry| check_server(key, entry)),
            Valid::QuorumVoters => items(value)
                .iter()
                .try_for_each(|entry| check_voter(key, entry)),
            Valid::OffsetReset { words, form } => {
                check_offset_reset(key, &value.to_text(), words, form)
            }
            Valid::Mode { words, ignore_case } => {
                check_mode(key, &value.to_text(), *words, *ignore_case)
            }
        }
    }
}

fn items(value: &Value) -> &[String] {
    match value {
        Value::List(items) => items,
        _ => &[],
    }
}

fn check_range(
    key: &str,
    value: &Value,
    min: Bound,
    max: Option<Bound>,
) -> Result<(), ConfigError> {
    let number = match value {
        Value::Double(number) => *number,
        other => other.as_i64().unwrap_or(0) as f64,
    };
    if number < min.as_f64() {
        return Err(ConfigError::invalid(
            key,
            value,
            format!("Value must be at least {min}"),
        ));
    }
    match max {
        Some(max) if number > max.as_f64() => Err(ConfigError::invalid(
            key,
            value,
            format!("Value must be no more than {max}"),
        )),
        _ => Ok(()),
    }
}

fn check_one_of(key: &str, text: &str, values: &[&str]) -> Result<(), ConfigError> {
    if values.contains(&text) {
        return Ok(());
    }
    Err(ConfigError::invalid(
        key,
        text,
        format!("String must be one of: {}", values.join(", ")),
    ))
}

fn check_items(
    key: &str,
    items: &[String],
    may_be_empty: bool,
    known: &str,
) -> Result<(), ConfigError> {
    if items.is_empty() && !may_be_empty {
        return Err(ConfigError::list(
            key,
            format!("must not be empty. Valid values include: {known}"),
        ));
    }
    let mut sorted: Vec<&String> = items.iter().collect();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(ConfigError::list(key, "values must not be duplicated."));
    }
    Ok(())
}

const THROTTLED_REPLICAS: &str = "[partitionId]:[brokerId],[partitionId]:[brokerId],...";

fn check_throttled_replicas(key: &str, value: &Value) -> Result<(), ConfigError> {
    let replicas = items(value);
    let is_id = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_pair = |text: &String| {
        text.split_once(':')
            .is_some_and(|(partition, broker)| is_id(partition) && is_id(broker))
    };
    let is_everything = matches!(replicas, [one] if one == "*");
    // The reference drops empty entries at the end of the text before it looks at the entries.
    let used = replicas
        .iter()
        .rposition(|entry| !entry.is_empty())
        .map_or(0, |last| last + 1);
    if is_everything || replicas.iter().take(used).all(is_pair) {
        return Ok(());
    }
    let reason = format!(
        "{key} must be the literal '*' or a list of replicas in the following format: {THROTTLED_REPLICAS}"
    );
    Err(ConfigError::invalid(key, value, reason))
}

fn is_host_and_port(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

fn check_server(key: &str, entry: &str) -> Result<(), ConfigError> {
    if is_host_and_port(entry) {
        return Ok(());
    }
    Err(ConfigError::Conflict(format!(
        "Failed to parse host name from {entry} for the configuration {key}. \
         Each entry should be in the form \"{{host}}:{{port}}\""
    )))
}

fn check_voter(key: &str, entry: &str) -> Result<(), ConfigError> {
    let is_voter =
        |(id, server): (&str, &str)| id.parse::<u32>().is_ok() && is_host_and_port(server);
    if entry.split_once('@').is_some_and(is_voter) {
        return Ok(());
    }
    Err(ConfigError::Conflict(format!(
        "Invalid configuration value for {key}. Each entry should be in the form `{{id}}@{{host}}:{{port}}`."
    )))
}

fn check_offset_reset(
    key: &str,
    text: &str,
    words: &[&str],
    form: &str,
) -> Result<(), ConfigError> {
    let is_duration = |duration: &str| is_iso_duration(duration);
    if words.contains(&text) || text.strip_prefix("by_duration:").is_some_and(is_duration) {
        return Ok(());
    }
    // The message names the words in another order than the notation does.
    let mut named: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    named.sort();
    let reason = format!(
        "Invalid value `{text}` for configuration {key}. The value must be either {} or of the format 'by_duration:<{form}>'.",
        named.join(", ")
    );
    Err(ConfigError::invalid(key, text, reason))
}

/// `PnDTnHnMn.nS` with at least one part and none negative.
fn is_iso_duration(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    let Some(rest) = upper.strip_prefix('P') else {
        return false;
    };
    let (days, time) = match rest.split_once('T') {
        Some((days, time)) if !time.is_empty() => (days, time),
        Some(_) => return false,
        None => (rest, ""),
    };
    if days.is_empty() && time.is_empty() {
        return false;
    }
    take_parts(days, "D") && take_parts(time, "HMS")
}

/// Whether the text is numbers with units, the units in this order and each at most once.
fn take_parts(text: &str, units: &str) -> bool {
    let mut rest = text;
    let mut units = units.chars();
    while !rest.is_empty() {
        let length = rest
            .bytes()
            .take_while(|b| b.is_ascii_digit() || *b == b'.')
            .count();
        let (number, tail) = rest.split_at(length);
        let Some(unit) = tail.chars().next() else {
            return false;
        };
        if !units.by_ref().any(|known| known == unit) {
            return false;
        }
        let whole = number.bytes().all(|b| b.is_ascii_digit());
        if number.is_empty() || number.parse::<f64>().is_err() || !(whole || unit == 'S') {
            return false;
        }
        rest = &tail[unit.len_utf8()..];
    }
    true
}

fn check_mode(
    key: &str,
    text: &str,
    words: [&str; 2],
    ignore_case: bool,
) -> Result<(), ConfigError> {
    let matches = |word: &&str| *word == text || (ignore_case && word.eq_ignore_ascii_case(text));
    if words.iter().any(matches) {
        return Ok(());
    }
    let [first, second] = words;
    let reason = format!(
        "Invalid value `{text}` for configuration {key}. The value must either be '{first}' or '{second}'."
    );
    Err(ConfigError::invalid(key, text, reason))
}

/// The notation of the reference's documentation.
impl fmt::Display for Valid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Valid::Any | Valid::Items { .. } => Ok(()),
            Valid::Range { min, max: None } => write!(f, "[{min},...]"),
            Valid::Range {
                min,
                max: Some(max),
            } => write!(f, "[{min},...,{max}]"),
            Valid::RangeOr { min, max, or } => write!(f, "[{min},...,{max}] or {or}"),
            Valid::NonNull => f.write_str("non-null string"),
            Valid::NonEmpty => f.write_str("non-empty string"),
            Valid::OneOf(values) | Valid::ItemsOf { values, .. } => {
                write!(f, "[{}]", values.join(", "))
            }
            Valid::OneOfIgnoreCase(values) => {
                write!(f, "(case insensitive) [{}]", values.join(", "))
            }
            Valid::ThrottledReplicas => f.write_str(THROTTLED_REPLICAS),
            Valid::QuorumServers | Valid::QuorumVoters => f.write_str("non-empty list"),
            Valid::OffsetReset { words, .. } => {
                write!(f, "[{}, by_duration:PnDTnHnMn.nS]", words.join(", "))
            }
            Valid::Mode { words, .. } => write!(f, "[{}]", words.join(", ")),
        }
    }
}
