//! What a consumer goes by, from Kafka's keys.

use std::{sync::Arc, time::Duration};

use ottla_config::{ConfigError, resolve::Settings};

use crate::{admin::Isolation, config::invalid};

use super::assignors::{Assignor, PartitionAssignor};

/// Where to read when nothing is committed, or the position is outside of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetReset {
    Earliest,
    Latest,
    /// The first record that is at most so old.
    ByDuration(Duration),
    /// Fail.
    None,
}

/// How records are fetched.
#[derive(Clone, Debug)]
pub struct FetchSettings {
    pub min_bytes: i32,
    pub max_wait: Duration,
    pub max_bytes: i32,
    pub partition_bytes_max: i32,
    pub isolation: Isolation,
    pub check_crcs: bool,
}

/// How a consumer is a member of its group.
#[derive(Clone, Debug)]
pub struct GroupSettings {
    pub id: String,
    /// Makes the member static (KIP-345).
    pub instance_id: Option<String>,
    /// `max.poll.interval.ms`, which is also how long the others wait for this member in a rebalance.
    pub poll_interval_max: Duration,
    pub rack: String,
    pub protocol: GroupProtocol,
}

/// How members and coordinator agree on who reads what.
#[derive(Clone, Debug)]
pub enum GroupProtocol {
    /// The members' leader assigns.
    Classic(ClassicSettings),
    /// The coordinator assigns (KIP-848).
    Consumer {
        /// How, where not as the coordinator likes.
        remote_assignor: Option<String>,
    },
}

/// What members do about their partitions while the group rebalances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RebalanceProtocol {
    /// They let go everything before, and get it back or not.
    Eager,
    /// They keep what they have, and let go afterwards what the others are to get (KIP-429).
    Cooperative,
    /// They are members all the while, and let go and take what the coordinator says (KIP-848).
    Coordinated,
}

impl GroupProtocol {
    pub(super) fn rebalance_protocol(&self) -> RebalanceProtocol {
        match self {
            Self::Classic(classic) if classic.is_cooperative() => RebalanceProtocol::Cooperative,
            Self::Classic(_) => RebalanceProtocol::Eager,
            Self::Consumer { .. } => RebalanceProtocol::Coordinated,
        }
    }
}

/// What a member of a classic group goes by.
#[derive(Clone, Debug)]
pub struct ClassicSettings {
    pub session_timeout: Duration,
    pub heartbeat_interval: Duration,
    /// The preferred first; at least one.
    pub assignors: Vec<Arc<dyn PartitionAssignor>>,
}

impl ClassicSettings {
    /// Whether partitions are kept during rebalances. The group settles on one of the assignors only later, so that
    /// all must be made for it.
    pub(super) fn is_cooperative(&self) -> bool {
        self.assignors
            .iter()
            .all(|assignor| assignor.is_cooperative())
    }
}

/// A consumer's settings.
#[derive(Clone, Debug)]
pub struct ConsumerSettings {
    pub group: Option<GroupSettings>,
    pub fetch: FetchSettings,
    pub poll_records_max: usize,
    pub reset: OffsetReset,
    /// How often offsets are committed by themselves.
    pub auto_commit: Option<Duration>,
    /// Whether a pattern leaves out internal topics.
    pub exclude_internal_topics: bool,
}

impl ConsumerSettings {
    /// Reads the consumer's own keys.
    pub fn from_config(settings: &Settings) -> Result<Self, ConfigError> {
        let int = |key: &str| i32::try_from(settings.number(key)).unwrap_or(i32::MAX);
        let rack = settings.opt_text("client.rack").unwrap_or_default();
        refuse_keys_of_the_other_protocol(settings)?;
        let group = group(settings, rack)?;
        Ok(Self {
            fetch: FetchSettings {
                min_bytes: int("fetch.min.bytes"),
                max_wait: settings.duration("fetch.max.wait.ms").unwrap_or_default(),
                max_bytes: int("fetch.max.bytes"),
                partition_bytes_max: int("max.partition.fetch.bytes"),
                isolation: match settings.text("isolation.level") {
                    "read_committed" => Isolation::ReadCommitted,
                    _ => Isolation::ReadUncommitted,
                },
                check_crcs: settings.boolean("check.crcs"),
            },
            poll_records_max: settings.size("max.poll.records").unwrap_or(1).max(1),
            reset: offset_reset(settings.text("auto.offset.reset")),
            auto_commit: auto_commit(settings, group.is_some())?,
            exclude_internal_topics: settings.boolean("exclude.internal.topics"),
            group,
        })
    }
}

fn group(settings: &Settings, rack: &str) -> Result<Option<GroupSettings>, ConfigError> {
    let Some(id) = settings.opt_text("group.id") else {
        return Ok(None);
    };
    if id.is_empty() {
        return Err(invalid("group.id", id, "it must not be empty"));
    }
    let ms = |key: &str| settings.duration(key).unwrap_or(Duration::MAX);
    Ok(Some(GroupSettings {
        id: id.to_owned(),
        instance_id: settings.opt_text("group.instance.id").map(str::to_owned),
        poll_interval_max: ms("max.poll.interval.ms"),
        rack: rack.to_owned(),
        protocol: match speaks_classic(settings) {
            true => GroupProtocol::Classic(classic(settings)?),
            false => GroupProtocol::Consumer {
                remote_assignor: settings
                    .opt_text("group.remote.assignor")
                    .map(str::to_owned),
            },
        },
    }))
}

/// Keys that only the other protocol has a use for.
const CLASSIC_ONLY: [&str; 3] = [
    "partition.assignment.strategy",
    "heartbeat.interval.ms",
    "session.timeout.ms",
];
const CONSUMER_ONLY: [&str; 1] = ["group.remote.assignor"];

fn refuse_keys_of_the_other_protocol(settings: &Settings) -> Result<(), ConfigError> {
    let foreign: &[&str] = match speaks_classic(settings) {
        true => &CONSUMER_ONLY,
        false => &CLASSIC_ONLY,
    };
    let key = "group.protocol";
    match foreign.iter().find(|foreign| settings.is_given(foreign)) {
        Some(foreign) => {
            let reason = format!("{foreign} can't be set with it");
            Err(invalid(key, settings.text(key), &reason))
        }
        None => Ok(()),
    }
}

fn speaks_classic(settings: &Settings) -> bool {
    settings
        .text("group.protocol")
        .eq_ignore_ascii_case("classic")
}

fn classic(settings: &Settings) -> Result<ClassicSettings, ConfigError> {
    let ms = |key: &str| settings.duration(key).unwrap_or(Duration::MAX);
    let (session, heartbeat) = ("session.timeout.ms", "heartbeat.interval.ms");
    if ms(heartbeat) >= ms(session) {
        let value = settings.number(heartbeat).to_string();
        let reason = format!(
            "it must be lower than {session}, {}",
            settings.number(session)
        );
        return Err(invalid(heartbeat, &value, &reason));
    }
    Ok(ClassicSettings {
        session_timeout: ms(session),
        heartbeat_interval: ms(heartbeat),
        assignors: assignors(settings)?,
    })
}

/// By the reference's classes, or by the names that members use among each other.
fn assignors(settings: &Settings) -> Result<Vec<Arc<dyn PartitionAssignor>>, ConfigError> {
    let key = "partition.assignment.strategy";
    let mut assignors: Vec<Arc<dyn PartitionAssignor>> = Vec::new();
    for class in settings.list(key) {
        let Some(assignor) = Assignor::of_class(class) else {
            let reason = format!("built in are {}", Assignor::classes());
            return Err(invalid(key, class, &reason));
        };
        if !assignors
            .iter()
            .any(|known| known.name() == assignor.name())
        {
            assignors.push(Arc::new(assignor));
        }
    }
    if assignors.is_empty() {
        return Err(invalid(key, "", "at least one assignor is needed"));
    }
    Ok(assignors)
}

fn auto_commit(settings: &Settings, has_group: bool) -> Result<Option<Duration>, ConfigError> {
    let key = "enable.auto.commit";
    match (settings.boolean(key), has_group) {
        (true, true) => Ok(settings.duration("auto.commit.interval.ms")),
        (true, false) if settings.is_given(key) => Err(invalid(
            key,
            "true",
            "group.id must be set to commit offsets",
        )),
        _ => Ok(None),
    }
}

fn offset_reset(text: &str) -> OffsetReset {
    match text {
        "earliest" => OffsetReset::Earliest,
        "latest" => OffsetReset::Latest,
        "none" => OffsetReset::None,
        other => {
            let duration = other.strip_prefix("by_duration:").unwrap_or_default();
            OffsetReset::ByDuration(iso_duration(duration))
        }
    }
}

/// `PnDTnHnMn.nS`, whose form has been checked with the configuration.
fn iso_duration(text: &str) -> Duration {
    let mut total = Duration::ZERO;
    let mut number = String::new();
    for letter in text.chars().skip(1) {
        let seconds = match letter.to_ascii_uppercase() {
            'D' => 86_400,
            'H' => 3600,
            'M' => 60,
            'S' => 1,
            'T' => continue,
            digit => {
                number.push(digit);
                continue;
            }
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
        let whole = whole.parse::<u64>().unwrap_or(0).saturating_mul(seconds);
        // Nine digits of a fraction are nanoseconds.
        let nanos = format!("{fraction:0<9}");
        let nanos = nanos.get(..9).and_then(|nanos| nanos.parse().ok());
        total = total.saturating_add(Duration::new(whole, nanos.unwrap_or(0)));
        number.clear();
    }
    total
}

#[cfg(test)]
mod tests {
    use crate::config::ClientKind;

    use super::*;

    fn read(given: &[(&str, &str)]) -> Result<ConsumerSettings, ConfigError> {
        let settings = ClientKind::Consumer
            .settings(given.iter().copied())
            .unwrap();
        ConsumerSettings::from_config(&settings)
    }

    #[test]
    fn defaults_are_those_of_kafka() {
        let settings = read(&[("group.id", "g")]).unwrap();
        assert_eq!(settings.poll_records_max, 500);
        assert_eq!(settings.reset, OffsetReset::Latest);
        assert_eq!(settings.auto_commit, Some(Duration::from_secs(5)));
        assert_eq!(settings.fetch.max_bytes, 52_428_800);
        let group = settings.group.unwrap();
        assert_eq!(group.poll_interval_max, Duration::from_secs(300));
        let GroupProtocol::Classic(classic) = group.protocol else {
            panic!("{:?}", group.protocol);
        };
        let names: Vec<&str> = classic.assignors.iter().map(|known| known.name()).collect();
        assert_eq!(names, ["range", "cooperative-sticky"]);
        assert!(
            !classic.is_cooperative(),
            "the first of them wants everything let go"
        );
    }

    #[test]
    fn assignors_are_known_by_class_and_by_name() {
        let key = "partition.assignment.strategy";
        let cooperative = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor";
        for value in [cooperative, "cooperative-sticky"] {
            let settings = read(&[("group.id", "g"), (key, value)]).unwrap();
            let protocol = settings.group.unwrap().protocol;
            let expected = RebalanceProtocol::Cooperative;
            assert_eq!(protocol.rebalance_protocol(), expected);
        }
    }

    #[test]
    fn without_a_group_nothing_is_committed() {
        assert_eq!(read(&[]).unwrap().auto_commit, None);
        let error = read(&[("enable.auto.commit", "true")]).unwrap_err();
        assert!(error.to_string().contains("group.id"), "{error}");
    }

    #[test]
    fn a_time_ago_is_read_as_a_duration() {
        let of = |text| read(&[("auto.offset.reset", text)]).unwrap().reset;
        let cases = [
            ("by_duration:P1D", 86_400_000),
            ("by_duration:PT1H30M", 5_400_000),
            ("by_duration:P2DT3H4M5.25S", 183_845_250),
            ("by_duration:PT0.5S", 500),
        ];
        for (text, ms) in cases {
            assert_eq!(of(text), OffsetReset::ByDuration(Duration::from_millis(ms)));
        }
        assert_eq!(of("earliest"), OffsetReset::Earliest);
    }

    #[test]
    fn each_group_protocol_refuses_the_keys_of_the_other_as_kafka_does() {
        let new = ("group.protocol", "Consumer");
        let group = read(&[("group.id", "g"), new, ("group.remote.assignor", "range")]);
        match group.unwrap().group.unwrap().protocol {
            GroupProtocol::Consumer { remote_assignor } => {
                assert_eq!(remote_assignor.as_deref(), Some("range"));
            }
            other => panic!("{other:?}"),
        }
        let foreign = [
            (new, ("session.timeout.ms", "10000")),
            (new, ("heartbeat.interval.ms", "1000")),
            (new, ("partition.assignment.strategy", "range")),
            (
                ("group.protocol", "classic"),
                ("group.remote.assignor", "uniform"),
            ),
        ];
        for (protocol, (key, value)) in foreign {
            let error = read(&[protocol, (key, value)]).unwrap_err().to_string();
            assert!(
                error.contains("group.protocol") && error.contains(key),
                "{error}"
            );
        }
    }

    #[test]
    fn what_this_client_does_not_do_is_refused_with_its_key() {
        let cases = [
            ("partition.assignment.strategy", "com.example.Mine"),
            ("group.id", ""),
            ("heartbeat.interval.ms", "45000"),
        ];
        for (key, value) in cases {
            let error = read(&[("group.id", "g"), (key, value)])
                .unwrap_err()
                .to_string();
            assert!(error.contains(key), "{error}");
        }
    }
}
