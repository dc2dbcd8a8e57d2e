//! From checked options to what shall be done. Pure but for the file of `--add-config-file`.

use ottla_client::admin::{
    AlterOp, ConfigResource, ConfigSource, QuotaEntity, QuotaEntityType, QuotaMatch, ResourceType,
    ScramChange,
};

use super::check::Entities;
use super::{Args, quotas};
use crate::jopt;
use crate::options;
use crate::stop::Failure;

pub(super) const TOPICS: &str = "topics";
pub(super) const CLIENTS: &str = "clients";
pub(super) const USERS: &str = "users";
pub(super) const BROKERS: &str = "brokers";
pub(super) const IPS: &str = "ips";
pub(super) const CLIENT_METRICS: &str = "client-metrics";
pub(super) const GROUPS: &str = "groups";
pub(super) const BROKER_LOGGERS: &str = "broker-loggers";

/// In the order of the reference's messages.
pub(super) const ENTITY_TYPES: [&str; 8] = [
    TOPICS,
    CLIENTS,
    USERS,
    BROKERS,
    IPS,
    CLIENT_METRICS,
    GROUPS,
    BROKER_LOGGERS,
];

/// A type of entity whose configuration is that of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    /// As options name it; without its last letter it names one of them.
    pub(super) plural: &'static str,
    pub(super) resource: ResourceType,
}

const KINDS: [Kind; 5] = [
    Kind {
        plural: TOPICS,
        resource: ResourceType::Topic,
    },
    Kind {
        plural: BROKERS,
        resource: ResourceType::Broker,
    },
    Kind {
        plural: BROKER_LOGGERS,
        resource: ResourceType::BrokerLogger,
    },
    Kind {
        plural: CLIENT_METRICS,
        resource: ResourceType::ClientMetrics,
    },
    Kind {
        plural: GROUPS,
        resource: ResourceType::Group,
    },
];

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Plan {
    /// `name`: `None` for all of the kind, empty for the default entity.
    Describe {
        kind: Kind,
        name: Option<String>,
        all: bool,
    },
    Alter {
        kind: Kind,
        name: String,
        changes: Vec<(String, AlterOp)>,
    },
    DescribeQuotas {
        components: Vec<(QuotaEntityType, QuotaMatch)>,
        /// Whose credentials are shown as well; of none: of all users; `None`: they are not.
        users: Option<Vec<String>>,
    },
    AlterQuotas {
        /// The same entity, as a filter.
        components: Vec<(QuotaEntityType, QuotaMatch)>,
        entity: QuotaEntity,
        changes: Vec<(String, Option<f64>)>,
    },
    AlterScram {
        user: String,
        changes: Vec<ScramChange>,
    },
}

/// As messages name one of them.
pub(super) fn singular(plural: &str) -> &str {
    plural.strip_suffix('s').unwrap_or(plural)
}

impl Kind {
    pub(super) fn singular(&self) -> &'static str {
        singular(self.plural)
    }

    /// Where values come from that are of this resource's own; `None`: all are.
    pub(super) fn own_source(&self, name: &str) -> Option<ConfigSource> {
        self.resource(name).own_source()
    }

    pub(super) fn resource(&self, name: &str) -> ConfigResource {
        ConfigResource::new(self.resource, name)
    }
}

impl Plan {
    /// The reference's name of the first thing it asks the cluster, for messages.
    pub(super) fn first_call(&self) -> &'static str {
        match self {
            // Nothing is listed first.
            Self::Describe {
                name: Some(_),
                all: true,
                ..
            } => "describeConfigs",
            Self::Describe { kind, .. } if kind.resource == ResourceType::Topic => "listTopics",
            Self::Describe { kind, .. } if matches!(kind.resource, ResourceType::Broker) => {
                "listNodes"
            }
            Self::Describe { .. } => "describeConfigs",
            Self::Alter { .. } => "incrementalAlterConfigs",
            Self::DescribeQuotas { .. } | Self::AlterQuotas { .. } => "describeClientQuotas",
            Self::AlterScram { .. } => "alterUserScramCredentials",
        }
    }
}

pub(super) fn plan(args: &Args, entities: &Entities) -> Result<Plan, Failure> {
    let first = entities.types.first();
    let first = first.map(String::as_str).unwrap_or_default();
    let kind = KINDS.into_iter().find(|kind| kind.plural == first);
    let name = entities.names.first().cloned();
    if args.describe {
        return match kind {
            None => quotas::describe(entities),
            Some(kind) => Ok(Plan::Describe {
                kind,
                name,
                all: args.all,
            }),
        };
    }
    let added = additions(args)?;
    // Commas at the end name nothing.
    let lists = args.delete_config.iter();
    let lists = lists.map(|list| list.trim_end_matches(','));
    let keys = lists.filter(|list| !list.is_empty());
    let deleted = keys.flat_map(|list| list.split(',').map(|key| key.trim().to_owned()));
    let Some(kind) = kind else {
        return quotas::alter(entities, added, deleted.collect());
    };
    let added = added.into_iter();
    let added = added.map(|(key, value)| (key, AlterOp::Set(value)));
    let deleted = deleted.map(|key| (key, AlterOp::Delete));
    Ok(Plan::Alter {
        kind,
        name: name.unwrap_or_default(),
        changes: added.chain(deleted).collect(),
    })
}

fn additions(args: &Args) -> Result<Vec<(String, String)>, Failure> {
    let pairs = match jopt::one("add-config-file", &args.add_config_file)? {
        Some(path) => options::read_properties(path)?,
        None => match jopt::one("add-config", &args.add_config)? {
            Some(list) => parse_pairs(list)?,
            None => Vec::new(),
        },
    };
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    match pairs.iter().find(|(key, _)| !key.chars().all(known)) {
        Some((key, _)) => Err(Failure::new(format!(
            "Invalid character found for config key: {key}"
        ))),
        None => Ok(pairs),
    }
}

/// `k=v,k=[v1,v2]`.
fn parse_pairs(given: &str) -> Result<Vec<(String, String)>, Failure> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let list = given.trim_end_matches(',');
    // Commas alone are an empty list; nothing at all is a pair that is missing.
    if list.is_empty() && !given.is_empty() {
        return Ok(pairs);
    }
    for item in split_outside_brackets(list, ',') {
        let parts = split_outside_brackets(item, '=');
        let [key, value] = parts.as_slice() else {
            return Err(Failure::new(
                "requirement failed: Invalid entity config: all configs to be added must be in the format \
                 \"key=val\" or  \"key=[val1,val2]\" to group values which contain commas.",
            )
            .hint(format!("--add-config has: {item}")));
        };
        let key = key.trim().to_owned();
        pairs.retain(|(present, _)| *present != key);
        pairs.push((key, value.replace(['[', ']'], "").trim().to_owned()));
    }
    Ok(pairs)
}

/// Splits where no closing bracket comes before the next opening one.
fn split_outside_brackets(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(separator) {
        let (part, rest) = (text.get(start..at), text.get(at + separator.len_utf8()..));
        let closes_first =
            rest.and_then(|rest| rest.chars().find(|c| matches!(c, '[' | ']'))) == Some(']');
        if let (Some(part), false) = (part, closes_first) {
            parts.push(part);
            start = at + separator.len_utf8();
        }
    }
    parts.extend(text.get(start..));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &str) -> Result<Vec<(String, String)>, String> {
        parse_pairs(list).map_err(|failure| failure.message)
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn brackets_keep_commas_and_equals_signs_together() {
        let parsed = pairs("retention.ms=1000,cleanup.policy=[compact,delete]");
        assert_eq!(
            parsed,
            Ok(vec![
                pair("retention.ms", "1000"),
                pair("cleanup.policy", "compact,delete")
            ])
        );
        assert_eq!(
            pairs("a=[x=1,y=2],b = 3"),
            Ok(vec![pair("a", "x=1,y=2"), pair("b", "3")])
        );
        assert_eq!(pairs("a=,b=[]"), Ok(vec![pair("a", ""), pair("b", "")]));
    }

    #[test]
    fn what_is_no_pair_is_refused() {
        for list in ["", "retention.ms", "a=b=c", "a=1,b"] {
            assert!(
                pairs(list).is_err_and(|message| message.contains("Invalid entity config")),
                "{list}"
            );
        }
    }
}
