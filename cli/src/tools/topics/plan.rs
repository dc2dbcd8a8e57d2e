//! From options to what shall be done. Pure; nothing has been asked of the cluster yet.

use ottla_protocol::wire::Uuid;

use super::Args;
use crate::jopt;
use crate::meant::meant;
use crate::stop::Failure;
use crate::topic_filter::TopicFilter;

#[derive(Debug, Clone)]
pub(super) enum Plan {
    List(Selection),
    Create(Creation),
    Alter(Alteration),
    Describe(Description),
    Delete { topics: Selection, if_exists: bool },
}

/// Which topics are meant.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    /// As written, for messages. `None`: all topics.
    pub(super) pattern: Option<String>,
    filter: Option<TopicFilter>,
    /// `--exact`: what is written are names.
    is_exact: bool,
    pub(super) exclude_internal: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Creation {
    pub(super) topic: String,
    /// `None` in both: the broker's default. Not checked yet.
    pub(super) partitions: Option<i32>,
    pub(super) replication_factor: Option<i32>,
    /// The replicas of each partition; empty: the broker chooses.
    pub(super) assignment: Vec<Vec<i32>>,
    pub(super) configs: Vec<(String, String)>,
    pub(super) if_not_exists: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Alteration {
    pub(super) topics: Selection,
    pub(super) partitions: i32,
    pub(super) assignment: Vec<Vec<i32>>,
    pub(super) if_exists: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Description {
    pub(super) topics: Selection,
    /// Stands above the selection.
    pub(super) topic_id: Option<Uuid>,
    pub(super) if_exists: bool,
    pub(super) show: Show,
    pub(super) partitions_per_response: i32,
}

/// What a description consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Show {
    Everything,
    /// Heads of topics with configuration of their own.
    Overrides,
    /// Partition lines that one of the filters lets through.
    Partitions {
        under_replicated: bool,
        unavailable: bool,
        under_min_isr: bool,
        at_min_isr: bool,
    },
}

impl Creation {
    /// What can be refused without asking the broker. Apart from planning, because the warning about names comes
    /// between the two.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self
            .replication_factor
            .is_some_and(|count| i16::try_from(count).is_err() || count < 1)
        {
            return Err(Failure::new(
                "The replication factor must be between 1 and 32767 inclusive",
            )
            .hint("Leave --replication-factor out for the broker's default."));
        }
        if self.partitions.is_some_and(|count| count < 1) {
            return Err(Failure::new("The partitions must be greater than 0")
                .hint("Leave --partitions out for the broker's default."));
        }
        if self.topic.is_empty() {
            return Err(Failure::new(
                "The given topic name '' cannot be represented in a request.",
            ));
        }
        Ok(())
    }
}

impl Plan {
    /// Whether all topics are looked at before anything else.
    pub(super) fn looks_at_all_topics(&self) -> bool {
        !matches!(self, Self::Create(_))
    }

    /// The reference's name of the first thing it asks the cluster, for messages.
    pub(super) fn first_call(&self) -> &'static str {
        match self {
            Self::Create(_) => "createTopics",
            _ => "listTopics",
        }
    }
}

impl Selection {
    fn of(args: &Args) -> Result<Self, Failure> {
        let pattern = jopt::one("topic", &args.topic)?;
        let filter = |list: &str| match args.exact {
            true => Ok(TopicFilter::exact(list)),
            false => TopicFilter::new(list),
        };
        Ok(Self {
            pattern: pattern.map(str::to_owned),
            filter: pattern.map(filter).transpose()?,
            is_exact: args.exact,
            exclude_internal: args.exclude_internal,
        })
    }

    pub(super) fn allows(&self, topic: &str, is_internal: bool) -> bool {
        !(self.exclude_internal && is_internal)
            && self
                .filter
                .as_ref()
                .is_none_or(|filter| filter.allows(topic))
    }

    /// What is to be told before any of these topics is changed: that they are others than the one that was written.
    pub(super) fn surprise(&self, chosen: &[String]) -> Option<String> {
        let pattern = self.pattern.as_ref().filter(|_| !self.is_exact)?;
        if matches!(chosen, [only] if only == pattern) {
            return None;
        }
        let count = chosen.len();
        let topics = if count == 1 { "topic" } else { "topics" };
        let shown: Vec<&str> = chosen.iter().take(SHOWN_MAX).map(String::as_str).collect();
        let more = match count.saturating_sub(SHOWN_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let shown = shown.join(", ");
        Some(format!(
            "'{pattern}' is a pattern, and means {count} {topics}: {shown}{more}. --exact takes it for a name."
        ))
    }
}

/// More names than that are counted only.
const SHOWN_MAX: usize = 20;

pub(super) fn plan(args: &Args) -> Result<Plan, Failure> {
    if args.list {
        Ok(Plan::List(Selection::of(args)?))
    } else if args.create {
        creation(args).map(Plan::Create)
    } else if args.alter {
        Ok(Plan::Alter(Alteration {
            partitions: jopt::number("partitions", &args.partitions)?.unwrap_or_default(),
            assignment: assignment(args)?,
            topics: Selection::of(args)?,
            if_exists: args.if_exists,
        }))
    } else if args.describe {
        description(args).map(Plan::Describe)
    } else {
        Ok(Plan::Delete {
            topics: Selection::of(args)?,
            if_exists: args.if_exists,
        })
    }
}

fn creation(args: &Args) -> Result<Creation, Failure> {
    let topic = jopt::one("topic", &args.topic)?
        .unwrap_or_default()
        .to_owned();
    let partitions = jopt::number("partitions", &args.partitions)?;
    let replication_factor = jopt::number("replication-factor", &args.replication_factor)?;
    let assignment = assignment(args)?;
    let configs = configs(&args.config)?;
    let if_not_exists = args.if_not_exists;
    Ok(Creation {
        topic,
        partitions,
        replication_factor,
        assignment,
        configs,
        if_not_exists,
    })
}

fn description(args: &Args) -> Result<Description, Failure> {
    let topic_id = jopt::one("topic-id", &args.topic_id)?;
    let topic_id = topic_id
        .map(parse_topic_id)
        .transpose()?
        .filter(|id| !id.is_zero());
    let limit: Option<i32> = jopt::number(
        "partition-size-limit-per-response",
        &args.partition_size_limit_per_response,
    )?;
    Ok(Description {
        topics: Selection::of(args)?,
        topic_id,
        if_exists: args.if_exists,
        show: show(args),
        partitions_per_response: limit.unwrap_or(2000),
    })
}

fn show(args: &Args) -> Show {
    if args.partition_filters().iter().any(|filter| filter.1) {
        Show::Partitions {
            under_replicated: args.under_replicated_partitions,
            unavailable: args.unavailable_partitions,
            under_min_isr: args.under_min_isr_partitions,
            at_min_isr: args.at_min_isr_partitions,
        }
    } else if args.topics_with_overrides {
        Show::Overrides
    } else {
        Show::Everything
    }
}

/// `1:2,2:3`: brokers of partition 0, brokers of partition 1.
fn assignment(args: &Args) -> Result<Vec<Vec<i32>>, Failure> {
    let list = jopt::one("replica-assignment", &args.replica_assignment)?;
    let mut assignment: Vec<Vec<i32>> = Vec::new();
    // Empty items at the end do not count, neither of partitions nor of replicas.
    let list = list.unwrap_or_default().trim_end_matches(',');
    if list.is_empty() {
        return Ok(assignment);
    }
    for (index, partition) in list.split(',').enumerate() {
        let mut brokers: Vec<i32> = Vec::new();
        let mut twice: Vec<String> = Vec::new();
        for broker in partition.trim_end_matches(':').split(':').map(str::trim) {
            let id = broker.parse().map_err(|_| {
                Failure::new(format!("For input string: \"{broker}\""))
                    .hint("--replica-assignment takes broker ids, such as 1:2,2:3.")
            })?;
            if brokers.contains(&id) && !twice.contains(&id.to_string()) {
                twice.push(id.to_string());
            }
            brokers.push(id);
        }
        if !twice.is_empty() {
            let message = "Partition replica lists may not contain duplicate entries: ";
            return Err(Failure::new(format!("{message}{}", twice.join(","))));
        }
        if assignment
            .first()
            .is_some_and(|first| first.len() != brokers.len())
        {
            let text = format!("Partition {index} has different replication factor: {brokers:?}");
            return Err(Failure::new(text)
                .hint("Every partition of a topic has the same number of replicas."));
        }
        assignment.push(brokers);
    }
    Ok(assignment)
}

/// The configuration of a new topic, checked before the broker sees it, as the reference does.
fn configs(given: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let mut configs: Vec<(String, String)> = Vec::new();
    for pair in given {
        // More than one `=` is refused, and so is one with nothing behind it.
        let parts: Vec<&str> = pair
            .trim_end_matches('=')
            .split('=')
            .map(str::trim)
            .collect();
        let [key, value] = parts.as_slice() else {
            return Err(Failure::new(
                "requirement failed: Invalid topic config: all configs to be added must be in the format \"key=val\".",
            )
            .hint(format!("--config {pair}")));
        };
        configs.retain(|(present, _)| present != key);
        configs.push(((*key).to_owned(), (*value).to_owned()));
    }
    for (key, _) in &configs {
        if ottla_config::topic::lookup(key).is_none() {
            return Err(unknown_config(key));
        }
    }
    for (key, value) in &configs {
        if let Some(definition) = ottla_config::topic::lookup(key) {
            definition
                .parse(value)
                .map_err(|error| Failure::new(error.to_string()))?;
        }
    }
    Ok(configs)
}

fn unknown_config(key: &str) -> Failure {
    let failure = Failure::new(format!("Unknown topic config name: {key}"));
    let keys = ottla_config::topic::TABLE
        .iter()
        .map(|definition| definition.key);
    match meant(key, keys) {
        Some(known) => failure.hint(format!("Did you mean {known}?")),
        None => failure,
    }
}

fn parse_topic_id(text: &str) -> Result<Uuid, Failure> {
    if let Some(id) = Uuid::parse(text) {
        return Ok(id);
    }
    let hint = "A topic id is 22 characters of base64url, as --describe prints it.";
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let message = if text.chars().count() > 24 {
        let prefix: String = text.chars().take(24).collect();
        format!("Input string with prefix `{prefix}` is too long to be decoded as a base64 UUID")
    } else if let Some(wrong) = text.chars().find(|c| !is_base64(*c)) {
        format!("Illegal base64 character {:x}", u32::from(wrong))
    } else if text.len() == 1 {
        "Input byte[] should at least have 2 bytes for base64 bytes".to_owned()
    } else {
        let bytes = text.len() * 3 / 4;
        format!(
            "Input string `{text}` decoded as {bytes} bytes, which is not equal to the expected 16 bytes of a \
             base64-encoded UUID"
        )
    };
    Err(Failure::new(message).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(line: &str) -> Result<Plan, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let args: Args = jopt::parse(&words).expect("options that exist");
        plan(&args).map_err(|failure| failure.message)
    }

    fn created(line: &str) -> Result<Creation, String> {
        match planned(&format!("--create --topic t {line}"))? {
            Plan::Create(creation) => creation
                .check()
                .map_err(|failure| failure.message)
                .map(|()| creation),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_topic_is_created_with_what_was_asked_for_and_the_brokers_defaults_otherwise() {
        let plain = created("--if-not-exists").expect("a plan");
        assert_eq!(
            (
                plain.partitions,
                plain.replication_factor,
                plain.if_not_exists
            ),
            (None, None, true)
        );
        let full =
            created("--partitions 3 --replication-factor 2 --config retention.ms=1 --config a=b");
        assert_eq!(full, Err("Unknown topic config name: a".to_owned()));
        let full =
            created("--partitions 3 --replication-factor 2 --config cleanup.policy=compact,delete");
        let full = full.expect("a plan");
        assert_eq!(
            (full.partitions, full.replication_factor),
            (Some(3), Some(2))
        );
        assert_eq!(
            full.configs,
            [("cleanup.policy".to_owned(), "compact,delete".to_owned())]
        );
    }

    #[test]
    fn counts_out_of_range_are_refused_before_the_broker_is_asked() {
        let factor = "The replication factor must be between 1 and 32767 inclusive";
        for count in ["0", "-1", "32768"] {
            assert_eq!(
                created(&format!("--replication-factor {count}")),
                Err(factor.to_owned())
            );
        }
        for count in ["0", "-3"] {
            let refused = created(&format!("--partitions {count}"));
            assert_eq!(
                refused,
                Err("The partitions must be greater than 0".to_owned())
            );
        }
        let refused = created("--partitions abc");
        assert_eq!(
            refused,
            Err("Cannot parse argument 'abc' of option partitions".to_owned())
        );
    }

    #[test]
    fn assignments_name_the_brokers_of_each_partition() {
        let assigned = |list: &str| {
            created(&format!("--replica-assignment {list}")).map(|plan| plan.assignment)
        };
        assert_eq!(assigned("1:2,2:1"), Ok(vec![vec![1, 2], vec![2, 1]]));
        let refused = |list: &str| assigned(list).expect_err("a refusal");
        assert_eq!(
            refused("1:1"),
            "Partition replica lists may not contain duplicate entries: 1"
        );
        assert_eq!(
            refused("1,1:7"),
            "Partition 1 has different replication factor: [1, 7]"
        );
        assert_eq!(refused("a"), "For input string: \"a\"");
    }

    #[test]
    fn configs_are_checked_like_the_broker_would() {
        let format = "requirement failed: Invalid topic config: all configs to be added must be in the format \"key=val\".";
        for (config, message) in [
            ("retention.ms", format),
            ("retention.ms=", format),
            ("retention.ms=1=2", format),
            ("=5", "Unknown topic config name: "),
            (
                "retention.ms=abc",
                "Invalid value abc for configuration retention.ms: Not a number of type LONG",
            ),
            (
                "retention.ms=-5",
                "Invalid value -5 for configuration retention.ms: Value must be at least -1",
            ),
            (
                "cleanup.policy=nope",
                "Invalid value nope for configuration cleanup.policy: String must be one of: compact, delete",
            ),
        ] {
            assert_eq!(
                created(&format!("--config {config}")),
                Err(message.to_owned()),
                "{config}"
            );
        }
    }

    #[test]
    fn topic_ids_are_checked() {
        let refused =
            |id: &str| planned(&format!("--describe --topic-id {id}")).expect_err("a refusal");
        assert!(refused("notanid").starts_with("Input string `notanid` decoded as 5 bytes"));
        assert!(refused("a.b").starts_with("Illegal base64 character 2e"));
        assert!(planned("--describe --topic-id AAAAAAAAAAAAAAAAAAAAAQ").is_ok());
    }

    #[test]
    fn a_pattern_that_means_other_topics_than_it_names_is_told_and_exact_names_are_none() {
        let selected = |line: &str| match planned(line) {
            Ok(Plan::Delete { topics, .. }) => topics,
            other => panic!("{other:?}"),
        };
        let topics = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        let pattern = selected("--delete --topic a.b");
        assert!(pattern.allows("a-b", false) && pattern.allows("a.b", false));
        assert_eq!(pattern.surprise(&topics(&["a.b"])), None);
        let said = pattern.surprise(&topics(&["a-b", "a.b"])).expect("a word");
        assert!(said.contains("means 2 topics: a-b, a.b."), "{said}");
        assert!(pattern.surprise(&topics(&["a-b"])).is_some());
        let exact = selected("--delete --exact --topic a.b,c");
        assert!(
            exact.allows("a.b", false) && exact.allows("c", false) && !exact.allows("a-b", false)
        );
        assert_eq!(exact.surprise(&topics(&["a.b", "c"])), None);
    }

    #[test]
    fn a_topic_given_twice_is_refused_when_it_is_needed() {
        let message = "Found multiple arguments for option topic, but you asked for only one";
        assert_eq!(
            planned("--list --topic a --topic b").map(|_| ()),
            Err(message.to_owned())
        );
    }
}
