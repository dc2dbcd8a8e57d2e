//! From options to the levels that are wanted, in the reference's words where they are wrong. Pure.

use ottla_client::admin::{FeatureUpdate, UpgradeType};
use ottla_protocol::features::{FEATURES, METADATA_VERSION, MetadataVersion};

use super::facts;
use crate::stop::Failure;

/// What is done with levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Upgrade,
    Downgrade { is_unsafe: bool },
    Disable { is_unsafe: bool },
}

impl Verb {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Upgrade => "upgrade",
            Self::Downgrade { .. } => "downgrade",
            Self::Disable { .. } => "disable",
        }
    }

    fn way(self) -> UpgradeType {
        match self {
            Self::Upgrade => UpgradeType::Upgrade,
            Self::Downgrade { is_unsafe: true } | Self::Disable { is_unsafe: true } => {
                UpgradeType::UnsafeDowngrade
            }
            _ => UpgradeType::SafeDowngrade,
        }
    }
}

/// A release by name, and how much of it is meant.
#[derive(Debug, Clone, Copy)]
pub(super) enum Release<'a> {
    All(&'a str),
    Metadata(&'a str),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) verb: Verb,
    /// At least one, of different features.
    pub(super) updates: Vec<FeatureUpdate>,
}

impl Change {
    fn new(verb: Verb) -> Self {
        let updates = Vec::new();
        Self { verb, updates }
    }

    fn add(&mut self, name: &str, level: i16) -> Result<(), Failure> {
        if level == 0 && self.verb == Verb::Upgrade {
            return Err(Failure::new(
                "The upgradeType flag should be set to SAFE_DOWNGRADE or UNSAFE_DOWNGRADE when the provided \
                 maxVersionLevel:0 is < 1.",
            )
            .hint("To lower a feature to level 0 is to downgrade it."));
        }
        if level < 0 {
            return Err(Failure::new("Cannot specify a negative version level."));
        }
        if self.updates.iter().any(|update| update.name == name) {
            let twice = format!("Feature {name} was specified more than once.");
            return Err(Failure::new(twice));
        }
        self.updates.push(FeatureUpdate {
            name: name.to_owned(),
            level,
            way: self.verb.way(),
        });
        Ok(())
    }

    fn checked(self) -> Result<Self, Failure> {
        if self.updates.is_empty() {
            let nothing = format!(
                "You must specify at least one feature to {}",
                self.verb.name()
            );
            return Err(Failure::new(nothing));
        }
        if self
            .updates
            .iter()
            .any(|update| update.name.trim().is_empty())
        {
            return Err(Failure::new("Provided feature can not be empty."));
        }
        Ok(self)
    }
}

pub(super) fn change(
    verb: Verb,
    release: Option<Release<'_>>,
    features: &[String],
) -> Result<Change, Failure> {
    let mut change = Change::new(verb);
    match release {
        None => {}
        Some(Release::Metadata(name)) => {
            change.add(METADATA_VERSION, facts::metadata_version(name)?.level)?;
        }
        Some(Release::All(name)) => add_all(&mut change, facts::metadata_version(name)?)?,
    }
    for text in features {
        let (name, level) = facts::name_and_level(text)?;
        change.add(name, level)?;
    }
    change.checked()
}

fn add_all(change: &mut Change, version: MetadataVersion) -> Result<(), Failure> {
    change.add(METADATA_VERSION, version.level)?;
    for feature in FEATURES {
        let level = feature.level_with(version);
        // Nothing is upgraded to nothing.
        if level > 0 || change.verb != Verb::Upgrade {
            change.add(feature.name, level)?;
        }
    }
    Ok(())
}

pub(super) fn disable(features: &[String], is_unsafe: bool) -> Result<Change, Failure> {
    let mut change = Change::new(Verb::Disable { is_unsafe });
    for name in features {
        change.add(name, 0)?;
    }
    change.checked()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(change: Result<Change, Failure>) -> Result<String, String> {
        let change = change.map_err(|failure| failure.message)?;
        let updates = change.updates.iter();
        let texts: Vec<String> = updates
            .map(|update| format!("{}={}", update.name, update.level))
            .collect();
        Ok(texts.join(" "))
    }

    fn upgraded(features: &[&str]) -> Result<String, String> {
        let features: Vec<String> = features.iter().map(ToString::to_string).collect();
        levels(change(Verb::Upgrade, None, &features))
    }

    #[test]
    fn levels_are_read_and_checked_in_the_references_words() {
        assert_eq!(upgraded(&[" a = 2 ", "b=+1"]).unwrap(), "a=2 b=1");
        for (features, words) in [
            (&[][..], "You must specify at least one feature to upgrade"),
            (
                &["x"],
                "Can't parse feature=level string x: equals sign not found.",
            ),
            (
                &["x=y"],
                "Can't parse feature=level string x=y: unable to parse y as a short.",
            ),
            (
                &["x=40000"],
                "Can't parse feature=level string x=40000: unable to parse 40000 as a short.",
            ),
            (
                &["x=0"],
                "The upgradeType flag should be set to SAFE_DOWNGRADE or UNSAFE_DOWNGRADE when the provided maxVersionLevel:0 is < 1.",
            ),
            (&["x=-1"], "Cannot specify a negative version level."),
            (&["x=1", "x=2"], "Feature x was specified more than once."),
        ] {
            assert_eq!(upgraded(features), Err(words.to_owned()));
        }
        assert_eq!(
            levels(disable(&[], false)),
            Err("You must specify at least one feature to disable".to_owned())
        );
    }

    #[test]
    fn a_release_stands_for_all_its_levels_and_none_is_upgraded_to_0() {
        let to = |verb| levels(change(verb, Some(Release::All("3.9")), &[])).unwrap();
        assert_eq!(to(Verb::Upgrade), "metadata.version=21 kraft.version=1");
        assert!(to(Verb::Downgrade { is_unsafe: false }).ends_with("streams.version=0"));
        let metadata = change(Verb::Upgrade, Some(Release::Metadata("4.0")), &[]);
        assert_eq!(levels(metadata).unwrap(), "metadata.version=25");
        let unknown = change(Verb::Upgrade, Some(Release::All("4.4")), &[]);
        let message = unknown.unwrap_err().message;
        assert!(
            message.starts_with(
                "Unknown metadata.version '4.4'. Supported metadata.version are: 3.3-IV3, 3.4-IV0, "
            ),
            "{message}"
        );
    }
}
