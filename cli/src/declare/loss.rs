//! Which changes of a topic's configs lose data.
//!
//! Lost is what consumers could have read before, or producers could have written. Weaker promises for the future
//! (`min.insync.replicas`, `ottla.durability`) are not; they are seen in the plan like any other change.

use std::collections::BTreeSet;

enum Rule {
    /// A smaller number takes more away; -1 is no limit.
    Limit {
        of_policy: Option<&'static str>,
        what: &'static str,
    },
    /// What a list gains takes away.
    Gains(&'static [(&'static str, &'static str)]),
}

const RULES: &[(&str, Rule)] = &[
    (
        "cleanup.policy",
        Rule::Gains(&[
            (
                "delete",
                "old records are deleted, as retention.ms and retention.bytes say",
            ),
            ("compact", "of each key only the last record stays"),
        ]),
    ),
    (
        "delete.retention.ms",
        Rule::Limit {
            of_policy: Some("compact"),
            what: "consumers that are behind may miss that keys were deleted",
        },
    ),
    (
        "max.message.bytes",
        Rule::Limit {
            of_policy: None,
            what: "larger batches are refused",
        },
    ),
    (
        "retention.bytes",
        Rule::Limit {
            of_policy: Some("delete"),
            what: "what is beyond that size is deleted",
        },
    ),
    (
        "retention.ms",
        Rule::Limit {
            of_policy: Some("delete"),
            what: "what is older is deleted",
        },
    ),
];

/// What a change loses, if it does. The values are those that count, wherever they come from, and `policy` is the
/// topic's cleanup policy afterwards.
pub(super) fn of_change(key: &str, from: &str, to: &str, policy: &str) -> Option<String> {
    let (_, rule) = RULES.iter().find(|(known, _)| *known == key)?;
    match rule {
        Rule::Limit { of_policy, what } => {
            let counts = of_policy.is_none_or(|name| items(policy).contains(name));
            let is_smaller = limit(to)? < limit(from)?;
            (counts && is_smaller).then(|| (*what).to_owned())
        }
        Rule::Gains(gains) => {
            let (from, to) = (items(from), items(to));
            let gained = gains
                .iter()
                .filter(|(name, _)| to.contains(name) && !from.contains(name));
            let gained: Vec<&str> = gained.map(|(_, what)| *what).collect();
            (!gained.is_empty()).then(|| gained.join("; "))
        }
    }
}

fn limit(text: &str) -> Option<i128> {
    let limit = text.trim().parse().ok()?;
    Some(if limit < 0 { i128::MAX } else { limit })
}

pub(super) fn items(list: &str) -> BTreeSet<&str> {
    list.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_room_for_records_is_loss_and_more_is_none() {
        let loses = |key, from, to, policy| of_change(key, from, to, policy).is_some();
        assert!(loses("retention.ms", "604800000", "1000", "delete"));
        assert!(loses("retention.ms", "-1", "604800000", "compact,delete"));
        assert!(!loses("retention.ms", "604800000", "-1", "delete"));
        assert!(!loses("retention.ms", "604800000", "1000", "compact"));
        assert!(!loses("retention.ms", "5", "5", "delete"));
        assert!(loses("retention.bytes", "-1", "1", "delete"));
        assert!(loses("max.message.bytes", "1000", "10", "compact"));
        assert!(loses("delete.retention.ms", "1000", "10", "compact"));
        assert!(!loses("delete.retention.ms", "1000", "10", "delete"));
        assert!(!loses("segment.bytes", "1000", "10", "delete"));
    }

    #[test]
    fn a_policy_that_is_gained_is_loss() {
        let lost = |from, to| of_change("cleanup.policy", from, to, to);
        assert!(lost("compact", "delete").is_some_and(|what| what.starts_with("old records")));
        assert!(
            lost("delete", "compact, delete").is_some_and(|what| what.starts_with("of each key"))
        );
        assert!(lost("", "compact,delete").is_some_and(|what| what.contains("; ")));
        assert_eq!(lost("compact,delete", "compact"), None);
        assert_eq!(lost("compact,delete", "delete,compact"), None);
    }
}
