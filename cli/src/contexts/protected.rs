//! Which command lines change something: before those a protected context is asked for.
//!
//! Always: a tool that is not listed is taken to change something.

use super::words::Said;

/// What makes a tool change something.
enum Changes {
    Never,
    /// One of these options.
    With(&'static [&'static str]),
    /// Without this option.
    Without(&'static str),
    /// One of these commands, unless it is to be tried only.
    By(&'static [&'static str]),
}

const TOOLS: &[(&str, Changes)] = &[
    ("topics", Changes::With(&["create", "alter", "delete"])),
    ("topics apply", Changes::Without("plan")),
    ("topics export", Changes::Never),
    ("configs", Changes::With(&["alter"])),
    // A group of the user's own is moved on.
    ("console-consumer", Changes::With(&["group"])),
    (
        "consumer-groups",
        Changes::With(&["delete", "delete-offsets", "execute", "undo"]),
    ),
    ("groups", Changes::Never),
    ("get-offsets", Changes::Never),
    ("log-dirs", Changes::Never),
    (
        "transactions",
        Changes::By(&["abort", "forceTerminateTransaction"]),
    ),
    ("broker-api-versions", Changes::Never),
    ("cluster", Changes::By(&["unregister"])),
    (
        "features",
        Changes::By(&["upgrade", "downgrade", "disable"]),
    ),
    (
        "metadata-quorum",
        Changes::By(&["add-controller", "remove-controller"]),
    ),
    ("acls", Changes::With(&["add", "remove"])),
    ("client-metrics", Changes::With(&["alter", "delete"])),
    ("reassign-partitions", Changes::With(&["execute", "cancel"])),
    ("doctor", Changes::With(&["round-trip"])),
    ("top", Changes::Never),
];

/// The word that changes something; the tool's own name where all of its uses do.
pub(super) fn change(tool: &str, said: &Said) -> Option<String> {
    let changes = TOOLS.iter().find(|(name, _)| *name == tool);
    let option = |name: &&&str| said.has(name);
    match changes.map(|(_, changes)| changes) {
        Some(Changes::Never) => None,
        Some(Changes::With(options)) => options.iter().find(option).map(|name| format!("--{name}")),
        Some(Changes::By(commands)) if !said.has("dry-run") => {
            let mut words = said.bare.iter();
            words
                .find(|word| commands.contains(&word.as_str()))
                .cloned()
        }
        Some(Changes::Without(option)) if said.has(option) => None,
        Some(Changes::Without(_)) => Some(tool.to_owned()),
        Some(Changes::By(_)) => None,
        None => Some(tool.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::words;
    use super::*;
    use crate::tools::TOOLS;

    fn changing(line: &str) -> Option<String> {
        let (mut tool, mut words) = line.split_once(' ').unwrap();
        if words.starts_with("apply") {
            tool = "topics apply";
            words = line.strip_prefix("topics apply ").unwrap();
        }
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        let known = TOOLS.iter().find(|known| known.name == tool).unwrap();
        let said = words::read(&(known.command)(), &words).unwrap();
        change(tool, &said)
    }

    #[test]
    fn what_only_reads_is_told_from_what_changes() {
        for line in [
            "topics --describe --topic --delete",
            "consumer-groups --reset-offsets --group g --dry-run",
            "features upgrade --metadata 4.3 --dry-run",
            "metadata-quorum describe --status",
            "topics apply -f f --prune --plan",
        ] {
            assert_eq!(changing(line), None, "{line}");
        }
        for (line, word) in [
            ("topics -delete --topic a", "--delete"),
            ("consumer-groups --reset-offsets --execute", "--execute"),
            ("features downgrade --metadata 4.2", "downgrade"),
            ("delete-records --offset-json-file f", "delete-records"),
            ("console-producer --topic a", "console-producer"),
            ("topics apply -f f", "topics apply"),
            ("topics apply -f f --prune --yes", "topics apply"),
        ] {
            assert_eq!(changing(line).as_deref(), Some(word), "{line}");
        }
    }
}
