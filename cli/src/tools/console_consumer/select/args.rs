//! The options, and what they ask for.

use jiff::Timestamp;

use crate::jopt;
use crate::output::{Format, OutputOnce};
use crate::stop::Stop;

use super::bounds::{Bounds, Place};
use super::filter::Filter;
use super::template::Template;

#[derive(Debug, Clone, clap::Args)]
pub(in crate::tools::console_consumer) struct SelectArgs {
    /// Begin there, in all partitions, without a group: beginning, end, an OFFSET, PARTITION:OFFSET,PARTITION:OFFSET, -1h
    /// or another length of time before now, @2026-11-01T00:00Z or another time
    #[arg(long, value_name = "WHERE")]
    from: Vec<String>,
    /// End before that place, written as for --from; now and end are what is there when the tool begins. The tool waits for no
    /// records that are not there yet
    #[arg(long, value_name = "WHERE")]
    to: Vec<String>,
    /// Show the last records of all partitions together, by their times, and end
    #[arg(long, value_name = "COUNT")]
    tail: Vec<String>,
    /// End where the topic ends when the tool begins
    #[arg(long)]
    until_end: bool,
    /// Show only records with this key. Only the partition is read that the usual partitioner gives it to
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
    /// With --key: look in all partitions, as other partitioners may have been at work
    #[arg(long)]
    any_partition: bool,
    /// Show only records with this header, or with this header and value; may be repeated
    #[arg(long, value_name = "NAME[=VALUE]")]
    header: Vec<String>,
    /// Show only records whose value is JSON that has this field, or has it with this value; may be repeated. Names of fields
    /// within fields, and numbers of elements, go behind a point: order.items.0.id=7
    #[arg(long, value_name = "FIELD[=VALUE]")]
    json: Vec<String>,
    /// Show only records in whose value this regular expression is found
    #[arg(long, value_name = "PATTERN")]
    grep: Vec<String>,
    /// The same for keys
    #[arg(long, value_name = "PATTERN")]
    grep_key: Vec<String>,
    /// How to show a record: json, or a text with %t topic, %p partition, %o offset, %T timestamp, %k key, %v value, %h
    /// headers, %K and %V their lengths, %H the number of headers, %% a percent sign; %k{hex}, %v{base64}, %v{json}, %h{json},
    /// %T{iso}; \n, \t, \r, \0, \\ and \x1f
    #[arg(long, value_name = "TEMPLATE")]
    format: Vec<String>,
    #[command(flatten)]
    pub(in crate::tools::console_consumer) output: OutputOnce,
}

/// What the options ask for.
#[derive(Debug, Default)]
pub(in crate::tools::console_consumer) struct Selection {
    /// Where something is said about them: then records are read without a group.
    pub(in crate::tools::console_consumer) bounds: Option<Bounds>,
    pub(in crate::tools::console_consumer) tail: Option<usize>,
    pub(in crate::tools::console_consumer) filter: Filter,
    /// The key whose partition alone is read.
    pub(in crate::tools::console_consumer) key: Option<Vec<u8>>,
    pub(in crate::tools::console_consumer) template: Option<Template>,
}

/// More would not be a look at the end of a topic, and all of them are in memory at once.
const TAIL_MAX: usize = 100_000;

impl SelectArgs {
    /// Whether an option about places is given.
    pub(in crate::tools::console_consumer) fn has_bounds(&self) -> bool {
        self.until_end || !(self.from.is_empty() && self.to.is_empty() && self.tail.is_empty())
    }

    /// `start` is where other options say that reading begins, where they do; who reads as a member of a group is given its
    /// partitions by that.
    pub(in crate::tools::console_consumer) fn selection(
        &self,
        start: Option<Place>,
        is_member: bool,
        is_terminal: bool,
    ) -> Result<Selection, Stop> {
        if is_member && self.has_bounds() {
            return Err(Stop::Usage(
                "Option --group cannot be used with --from, --to, --tail and --until-end."
                    .to_owned(),
            ));
        }
        let key = jopt::one("key", &self.key)?.map(|key| key.as_bytes().to_vec());
        if self.any_partition && key.is_none() {
            return Err(Stop::Usage(
                "Option --any-partition needs --key.".to_owned(),
            ));
        }
        let only_of_key = key.is_some() && !self.any_partition && !is_member;
        Ok(Selection {
            bounds: self.bounds(start, only_of_key)?,
            tail: self.tail()?,
            filter: Filter::new(
                key.clone(),
                &self.header,
                &self.json,
                &self.grep,
                &self.grep_key,
            )?,
            key: key.filter(|_| only_of_key),
            template: self.template(is_terminal)?,
        })
    }

    fn template(&self, is_terminal: bool) -> Result<Option<Template>, Stop> {
        match (jopt::one("format", &self.format)?, self.output.format()?) {
            (Some(_), Format::Data(_)) => Err(Stop::Usage(
                "Options format and output cannot be specified together.".to_owned(),
            )),
            (Some(text), Format::Table) => Template::parse(text, is_terminal).map(Some),
            (None, Format::Data(form)) => Ok(Some(Template::of_output(form))),
            (None, Format::Table) => Ok(None),
        }
    }

    fn bounds(&self, start: Option<Place>, only_of_key: bool) -> Result<Option<Bounds>, Stop> {
        let now = Timestamp::now().as_millisecond();
        let place = |name: &str, given: &[String]| match jopt::one(name, given)? {
            Some(text) => Place::parse(name, text, now).map(Some),
            None => Ok(None),
        };
        let (from, to) = (place("from", &self.from)?, place("to", &self.to)?);
        let conflict = |one: &str, other: &str| {
            let text = format!("Options {one} and {other} cannot be specified together.");
            Err(Stop::Usage(text))
        };
        if from.is_some() && start.is_some() {
            return conflict("from", "from-beginning or offset");
        }
        if to.is_some() && self.until_end {
            return conflict("to", "until-end");
        }
        if !self.tail.is_empty() {
            if from.is_some() || start.is_some() {
                return conflict("tail", "from");
            }
            if to.is_some() || self.until_end {
                return conflict("tail", "to");
            }
        }
        let has_end = self.until_end || !self.tail.is_empty();
        let to = to.or_else(|| has_end.then_some(Place::End));
        Ok(match (from.or(start), self.has_bounds()) {
            (from, true) => Some(Bounds {
                from: from.unwrap_or(Place::Beginning),
                to,
            }),
            // As without the option, what comes from now on is read.
            (from, false) if only_of_key => Some(Bounds {
                from: from.unwrap_or(Place::End),
                to: None,
            }),
            _ => None,
        })
    }

    fn tail(&self) -> Result<Option<usize>, Stop> {
        let Some(count) = jopt::number::<i64>("tail", &self.tail)? else {
            return Ok(None);
        };
        match usize::try_from(count) {
            Ok(count @ 1..=TAIL_MAX) => Ok(Some(count)),
            _ => Err(Stop::Usage(format!(
                "Option --tail wants a number from 1 to {TAIL_MAX}."
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Tool {
        #[command(flatten)]
        select: SelectArgs,
    }

    fn selected(line: &str, start: Option<Place>, is_member: bool) -> Result<Selection, Stop> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let tool: Tool = jopt::parse(&words).expect("options that exist");
        tool.select.selection(start, is_member, false)
    }

    fn bounds(line: &str, start: Option<Place>) -> Option<Bounds> {
        selected(line, start, false).expect("a good line").bounds
    }

    #[test]
    fn ranges_have_a_beginning_and_where_it_is_wanted_an_end() {
        let of = |from, to| Some(Bounds { from, to });
        assert_eq!(bounds("", None), None);
        assert_eq!(bounds("", Some(Place::Beginning)), None);
        assert_eq!(bounds("--from 5", None), of(Place::Offset(5), None));
        let both = of(Place::Offset(5), Some(Place::Offset(9)));
        assert_eq!(bounds("--from 5 --to 9", None), both);
        let whole = of(Place::Beginning, Some(Place::End));
        for line in ["--until-end", "--to now", "--to end", "--tail 3"] {
            assert_eq!(bounds(line, None), whole, "{line}");
        }
        let rest = of(Place::Offset(7), Some(Place::End));
        assert_eq!(bounds("--until-end", Some(Place::Offset(7))), rest);
    }

    #[test]
    fn a_key_leads_to_its_partition_unless_a_group_or_the_user_says_otherwise() {
        let of = |line, is_member| {
            let selection = selected(line, None, is_member).expect("a good line");
            (selection.key.is_some(), selection.bounds)
        };
        let from_now = Some(Bounds {
            from: Place::End,
            to: None,
        });
        assert_eq!(of("--key k", false), (true, from_now));
        assert_eq!(of("--key k", true), (false, None));
        assert_eq!(of("--key k --any-partition", false), (false, None));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for (line, start, is_member) in [
            ("--from 5 --tail 3", None, false),
            ("--to 5 --tail 3", None, false),
            ("--until-end --to 5", None, false),
            ("--from 5", Some(Place::Beginning), false),
            ("--tail 5", Some(Place::Beginning), false),
            ("--until-end", None, true),
            ("--any-partition", None, false),
            ("--tail 0", None, false),
            ("--tail -1", None, false),
            ("--tail 100001", None, false),
            ("--from soon", None, false),
            ("--from 1 --from 2", None, false),
            ("--format text", None, false),
        ] {
            assert!(selected(line, start, is_member).is_err(), "{line}");
        }
    }
}
