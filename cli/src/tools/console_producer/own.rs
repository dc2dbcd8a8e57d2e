//! The options that the reference's tool does not have: where lines come from, and what every record has besides its line.

use std::path::PathBuf;

use ottla_protocol::records::Header;

use crate::jopt;
use crate::output::OutputOnce;
use crate::stop::{Failure, Stop};

use super::line_reader::{LineReader, Parsed};

#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct OwnArgs {
    /// Send every record to this partition
    #[arg(long, value_name = "N")]
    partition: Vec<String>,
    /// Give every record this key
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
    /// Give every record this header, behind those of its line; may be repeated. Without = the header has no value
    #[arg(long, value_name = "NAME[=VALUE]")]
    header: Vec<String>,
    /// Send null for an empty value, and for an empty key
    #[arg(long)]
    empty_as_null: bool,
    /// Read this file instead of standard input; may be repeated
    #[arg(long, value_name = "FILE")]
    from_file: Vec<String>,
    /// Make one record of each file, or of all standard input, instead of each line
    #[arg(long)]
    whole: bool,
    #[command(flatten)]
    pub(super) output: OutputOnce,
}

/// Where lines come from.
#[derive(Debug)]
pub(super) struct Source {
    /// Standard input where there is none.
    pub(super) files: Vec<PathBuf>,
    /// Of all files, where that is known.
    pub(super) bytes: Option<u64>,
    /// Each of them is one record.
    pub(super) is_whole: bool,
}

/// What every record has.
#[derive(Debug)]
pub(super) struct EveryRecord {
    pub(super) partition: Option<i32>,
    key: Option<String>,
    headers: Vec<(String, Option<String>)>,
    empty_as_null: bool,
}

impl OwnArgs {
    /// A file that is not there is told before anything is sent.
    pub(super) fn source(&self) -> Result<Source, Failure> {
        let mut bytes = Some(0);
        for file in &self.from_file {
            let metadata = std::fs::metadata(file)
                .map_err(|error| Failure::new(format!("Cannot read {file}: {error}")))?;
            let length = metadata.is_file().then_some(metadata.len());
            bytes = bytes.zip(length).map(|(sum, length)| sum + length);
        }
        Ok(Source {
            files: self.from_file.iter().map(PathBuf::from).collect(),
            bytes,
            is_whole: self.whole,
        })
    }

    pub(super) fn every_record(&self, reader: &LineReader) -> Result<EveryRecord, Stop> {
        let key = jopt::one("key", &self.key)?;
        if key.is_some() && reader.parses_keys() {
            return Err(Stop::Usage(
                "Option --key and the property parse.key=true cannot be specified together."
                    .to_owned(),
            ));
        }
        let partition = jopt::number::<i32>("partition", &self.partition)?;
        if partition.is_some_and(|partition| partition < 0) {
            return Err(Stop::Usage(
                "Option --partition wants a number from 0 on.".to_owned(),
            ));
        }
        let header = |word: &String| match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (word.clone(), None),
        };
        Ok(EveryRecord {
            partition,
            key: key.map(str::to_owned),
            headers: self.header.iter().map(header).collect(),
            empty_as_null: self.empty_as_null,
        })
    }
}

impl EveryRecord {
    /// Adds to what a line says.
    pub(super) fn complete<'a>(&'a self, parsed: &mut Parsed<'a>) {
        parsed.key = parsed.key.or(self.key.as_deref().map(str::as_bytes));
        if self.empty_as_null {
            parsed.key = parsed.key.filter(|key| !key.is_empty());
            parsed.value = parsed.value.filter(|value| !value.is_empty());
        }
        let headers = self.headers.iter().map(|(name, value)| Header {
            key: name.as_bytes(),
            value: value.as_deref().map(str::as_bytes),
        });
        parsed.headers.extend(headers);
    }
}
