//! The command line of `cargo xtask faults`.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use super::Scenario;

#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    /// Ids (`S-03`), names (`power-xfs`) or both (`S-03/power-xfs`); all where there is none.
    scenarios: Vec<String>,
    pub(super) seed: u64,
    rounds: Option<usize>,
    /// The short form of those scenarios that have one.
    quick: bool,
    pub(super) list: bool,
}

impl Options {
    pub(crate) fn parse(words: &[&str]) -> Result<Options> {
        let mut options = Options {
            scenarios: Vec::new(),
            seed: seed_of_now(),
            rounds: None,
            quick: false,
            list: false,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut number = || -> Result<u64> {
                let text = words
                    .next()
                    .with_context(|| format!("{word} wants a number"))?;
                text.parse().with_context(|| format!("{word} {text}"))
            };
            match *word {
                "--seed" => options.seed = number()?,
                "--rounds" => options.rounds = Some(usize::try_from(number()?)?),
                "--quick" => options.quick = true,
                "--list" => options.list = true,
                option if option.starts_with('-') => bail!("{option} is not an option"),
                scenario => options.scenarios.push(scenario.to_owned()),
            }
        }
        Ok(options)
    }

    /// The short form of everything that has one.
    pub(crate) fn quick() -> Options {
        Options {
            scenarios: Vec::new(),
            seed: seed_of_now(),
            rounds: None,
            quick: true,
            list: false,
        }
    }

    pub(super) fn picks(&self, scenario: &Scenario) -> bool {
        let full = format!("{}/{}", scenario.id, scenario.name);
        let is_named =
            |word: &String| *word == scenario.id || *word == scenario.name || *word == full;
        (self.scenarios.is_empty() || self.scenarios.iter().any(is_named))
            && (!self.quick || scenario.quick_rounds.is_some())
    }

    pub(super) fn rounds(&self, scenario: &Scenario) -> usize {
        let usual = match (self.quick, scenario.quick_rounds) {
            (true, Some(rounds)) => rounds,
            _ => scenario.rounds,
        };
        self.rounds.unwrap_or(usual)
    }
}

fn seed_of_now() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    now.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_scenarios_and_options_take_numbers() {
        let options =
            Options::parse(&["S-01", "--seed", "7", "power-xfs", "--rounds", "3"]).unwrap();
        assert_eq!(options.scenarios, ["S-01", "power-xfs"]);
        assert_eq!((options.seed, options.rounds), (7, Some(3)));
        assert!(Options::parse(&["--seed"]).is_err());
        assert!(Options::parse(&["--sed", "7"]).is_err());
    }
}
