//! How a result looks: as people read it, or as data for programs.
//!
//! A tool gives one [`Report`]: the value, and where its rows are. All forms of data are made of it here and nowhere else, so
//! that a tool which offers one offers all. Always: `table` is the tool's own layout, the reference's where it has one; JSON is
//! one object on one line that tells its version; `docs/json` says what it has, and YAML has the same.

mod wide;

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use ottla_client::ApiError;
use serde_json::{Value, json};

use crate::context::Context;
use crate::jopt;
use crate::meant::meant;
use crate::options::Given;
use crate::stop::Stop;

/// The option, where the last one counts (see `argparse`).
#[derive(Debug, Clone, clap::Args)]
pub struct Output {
    /// How the result looks: table, wide, json, yaml, csv or tsv
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
}

/// The option, where one that is given twice is an error (see `jopt`).
#[derive(Debug, Clone, Default, clap::Args)]
pub struct OutputOnce {
    /// How the result looks: table, wide, json, yaml, csv or tsv [table]
    #[arg(long, value_name = "FORMAT")]
    output: Vec<String>,
}

impl OutputOnce {
    pub fn format(&self) -> Result<Format, Stop> {
        match jopt::one("output", &self.output)? {
            None => Ok(Format::Table),
            Some(name) => name.parse().map_err(Stop::Usage),
        }
    }

    pub fn given(&self) -> Given {
        Given::values("output", &self.output)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As the tool lays it out.
    Table,
    /// Derived from its report.
    Data(Form),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A table of all columns, for people.
    Wide,
    Json,
    Yaml,
    Csv,
    Tsv,
}

impl Format {
    pub const ALL: [Self; 6] = [
        Self::Table,
        Self::Data(Form::Wide),
        Self::Data(Form::Json),
        Self::Data(Form::Yaml),
        Self::Data(Form::Csv),
        Self::Data(Form::Tsv),
    ];

    /// As `--output` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Data(Form::Wide) => "wide",
            Self::Data(Form::Json) => "json",
            Self::Data(Form::Yaml) => "yaml",
            Self::Data(Form::Csv) => "csv",
            Self::Data(Form::Tsv) => "tsv",
        }
    }

    pub fn is_data(self) -> bool {
        self != Self::Table
    }

    /// A line beside the result: on standard output as the reference has it, but never among data.
    pub fn note(self, line: impl AsRef<str>, cx: &mut Context) -> io::Result<()> {
        match self {
            Self::Table => writeln!(cx.out, "{}", line.as_ref()),
            Self::Data(_) => {
                cx.warn(line);
                Ok(())
            }
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = || Self::ALL.into_iter().map(Self::name);
        let found = Self::ALL.into_iter().find(|format| format.name() == text);
        found.ok_or_else(|| {
            let takes = names().collect::<Vec<_>>().join(", ");
            let meant = meant(text, names());
            let meant = meant.map_or(String::new(), |name| format!(" Did you mean {name}?"));
            format!("There is no format '{text}'; --output takes one of {takes}.{meant}")
        })
    }
}

/// A result as data.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub value: Value,
    pub rows: Rows,
}

/// Where the rows of a value are, for the forms that have rows and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    /// The names of the arrays on the way down, as `["brokers", "logDirs"]`; `a|b` goes down both. An object whose array is
    /// empty is a row itself, so that nothing is lost. Without any the value is the one row.
    pub within: &'static [&'static str],
    /// The fields of a row, or else of what it lies in, in order; `error.code` is a field of a field.
    pub columns: &'static [&'static str],
}

impl Report {
    /// A result that is one row.
    pub fn of_one(value: Value, columns: &'static [&'static str]) -> Self {
        let rows = Rows {
            within: &[],
            columns,
        };
        Self { value, rows }
    }

    /// The whole of what standard output gets.
    pub fn text(&self, form: Form) -> String {
        let Self { value, rows } = self;
        match form {
            Form::Json => json_text(value),
            Form::Yaml => yaml_text(value),
            Form::Csv => head_line(rows.columns, b',') + &self.lines(b','),
            Form::Tsv => head_line(rows.columns, b'\t') + &self.lines(b'\t'),
            Form::Wide => wide::table(&rows_of(value, rows), rows.columns),
        }
    }

    fn lines(&self, delimiter: u8) -> String {
        let rows = rows_of(&self.value, &self.rows);
        rows.iter().map(|row| data_line(row, delimiter)).collect()
    }
}

/// The same for results that come one by one: each is a line of JSON, a YAML document, or a row.
#[derive(Debug)]
pub struct Stream {
    form: Form,
    rows: Rows,
    /// Of the columns of `wide`, from the first row on.
    widths: Vec<usize>,
    has_begun: bool,
}

impl Stream {
    pub fn new(form: Form, rows: Rows) -> Self {
        Self {
            form,
            rows,
            widths: Vec::new(),
            has_begun: false,
        }
    }

    /// None where the tool shows a table.
    pub fn of(format: Format, rows: Rows) -> Option<Self> {
        match format {
            Format::Table => None,
            Format::Data(form) => Some(Self::new(form, rows)),
        }
    }

    /// Writes the next one where it is read at once.
    pub fn tell(&mut self, value: Value, cx: &mut Context) -> io::Result<()> {
        cx.out.write_all(self.next(value).as_bytes())?;
        cx.flush()
    }

    /// The head line, unless it was told: a stream in which nothing comes has its columns, too. Those of `wide` are as wide as
    /// what stands in them, so that its head waits for a row.
    pub fn head(&mut self) -> String {
        let delimiter = match self.form {
            Form::Csv => b',',
            Form::Tsv => b'\t',
            Form::Wide | Form::Json | Form::Yaml => return String::new(),
        };
        match std::mem::replace(&mut self.has_begun, true) {
            true => String::new(),
            false => head_line(self.rows.columns, delimiter),
        }
    }

    /// What standard output gets for the next one, and the head line before the first.
    pub fn next(&mut self, value: Value) -> String {
        let rows = self.rows;
        let head = self.head();
        let report = Report { value, rows };
        match self.form {
            Form::Json => json_text(&report.value),
            Form::Yaml => format!("---\n{}", yaml_text(&report.value)),
            Form::Csv => head + &report.lines(b','),
            Form::Tsv => head + &report.lines(b'\t'),
            Form::Wide => {
                let found = rows_of(&report.value, &rows);
                wide::lines(&found, rows.columns, &mut self.widths)
            }
        }
    }
}

/// The cells of each row.
fn rows_of<'a>(value: &'a Value, rows: &Rows) -> Vec<Vec<Option<&'a Value>>> {
    let mut found = Vec::new();
    go_down(&mut vec![value], rows.within, rows.columns, &mut found);
    found
}

fn go_down<'a>(
    scopes: &mut Vec<&'a Value>,
    within: &[&str],
    columns: &[&str],
    found: &mut Vec<Vec<Option<&'a Value>>>,
) {
    let row = |scopes: &[&'a Value]| columns.iter().map(|column| cell(scopes, column)).collect();
    let (Some((names, deeper)), Some(here)) = (within.split_first(), scopes.last().copied()) else {
        return found.push(row(scopes));
    };
    let arrays = names
        .split('|')
        .filter_map(|name| here.get(name)?.as_array());
    let inner: Vec<&Value> = arrays.flatten().collect();
    // An empty result has no rows; something in it without parts is one.
    if inner.is_empty() && scopes.len() > 1 {
        return found.push(row(scopes));
    }
    for value in inner {
        scopes.push(value);
        go_down(scopes, deeper, columns, found);
        scopes.pop();
    }
}

/// A field of the innermost scope that has it.
fn cell<'a>(scopes: &[&'a Value], column: &str) -> Option<&'a Value> {
    let mut path = column.split('.');
    let first = path.next()?;
    let outer = scopes.iter().rev().find_map(|scope| scope.get(first))?;
    path.try_fold(outer, |value, name| value.get(name))
}

/// A cell for a program: nothing where there is nothing, JSON for what has parts.
fn plain(cell: Option<&Value>) -> String {
    match cell {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn head_line(columns: &[&str], delimiter: u8) -> String {
    quoted(columns.iter().copied(), delimiter)
}

fn data_line(row: &[Option<&Value>], delimiter: u8) -> String {
    quoted(row.iter().copied().map(plain), delimiter)
}

/// A line as RFC 4180 has it, but for its end, which is the system's.
fn quoted(cells: impl IntoIterator<Item = impl AsRef<str>>, delimiter: u8) -> String {
    let mut writer = csv::WriterBuilder::new()
        .delimiter(delimiter)
        .from_writer(Vec::new());
    let cells = cells.into_iter();
    writer
        .write_record(cells.map(|cell| cell.as_ref().as_bytes().to_vec()))
        .expect("memory takes it");
    let bytes = writer.into_inner().expect("memory takes it");
    String::from_utf8(bytes).expect("made of text")
}

pub fn json_error(error: &ApiError) -> Value {
    json!({ "code": error.code.name(), "message": error.text() })
}

pub fn json_text(value: &Value) -> String {
    format!("{value}\n")
}

fn yaml_text(value: &Value) -> String {
    serde_yaml::to_string(value).expect("JSON is YAML")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIRS: Rows = Rows {
        within: &["brokers", "dirs"],
        columns: &["broker", "path", "error.code", "tags"],
    };

    pub(super) fn report() -> Report {
        Report {
            value: json!({ "version": 1, "brokers": [
                { "broker": 1, "dirs": [
                    { "path": "/a, b", "error": null, "tags": [1, 2] },
                    { "path": "say \"x\"\ty", "error": { "code": "BAD" }, "tags": [{ "k": "v" }] },
                ] },
                { "broker": 2, "dirs": [] },
            ] }),
            rows: DIRS,
        }
    }

    #[test]
    fn comma_separated_values_are_quoted_where_they_must_be() {
        let lines = "broker,path,error.code,tags\n\
                     1,\"/a, b\",,\"[1,2]\"\n\
                     1,\"say \"\"x\"\"\ty\",BAD,\"[{\"\"k\"\":\"\"v\"\"}]\"\n\
                     2,,,\n";
        assert_eq!(report().text(Form::Csv), lines);
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(b'\t')
            .from_reader(io::Cursor::new(report().text(Form::Tsv)));
        let second = reader.records().nth(1).unwrap().unwrap();
        assert_eq!(second.get(1), Some("say \"x\"\ty"));
    }

    #[test]
    fn yaml_is_the_value_and_no_rows_are_a_head_line() {
        let value: Value = serde_yaml::from_str(&report().text(Form::Yaml)).unwrap();
        assert_eq!(value, report().value);
        let value = json!({ "version": 1, "brokers": [] });
        let empty = Report { value, rows: DIRS };
        assert_eq!(empty.text(Form::Csv), "broker,path,error.code,tags\n");
    }

    #[test]
    fn both_of_two_arrays_are_gone_down_and_what_has_no_deeper_one_is_a_row() {
        let rows = Rows {
            within: &["dirs", "own|parts", "own"],
            columns: &["dir", "part", "found"],
        };
        let value = json!({ "dirs": [{
            "dir": "d",
            "own": [{ "found": 1 }],
            "parts": [{ "part": "p", "own": [{ "found": 2 }, { "found": 3 }] }, { "part": "q", "own": [] }],
        }] });
        let text = Report { value, rows }.text(Form::Csv);
        assert_eq!(text, "dir,part,found\nd,,1\nd,p,2\nd,p,3\nd,q,\n");
    }

    #[test]
    fn a_stream_says_its_columns_once() {
        let rows = Rows {
            within: &[],
            columns: &["type", "records"],
        };
        let events = [("interval", 5), ("total", 123_456)];
        let told = |form| {
            let mut stream = Stream::new(form, rows);
            let values = events.map(|(kind, records)| json!({ "type": kind, "records": records }));
            values.map(|value| stream.next(value)).concat()
        };
        assert_eq!(told(Form::Csv), "type,records\ninterval,5\ntotal,123456\n");
        assert_eq!(
            told(Form::Tsv),
            "type\trecords\ninterval\t5\ntotal\t123456\n"
        );
        assert_eq!(
            told(Form::Wide),
            "TYPE     RECORDS\ninterval 5\ntotal    123456\n"
        );
        assert_eq!(told(Form::Json).lines().count(), 2);
        assert_eq!(told(Form::Yaml).matches("---\n").count(), 2);
    }

    #[test]
    fn a_stream_in_which_nothing_comes_has_its_columns_too() {
        let rows = Rows {
            within: &[],
            columns: &["a", "b"],
        };
        let mut stream = Stream::new(Form::Tsv, rows);
        assert_eq!(stream.head(), "a\tb\n");
        assert_eq!(stream.next(json!({ "a": 1 })), "1\t\n");
        assert_eq!(stream.head(), "");
        assert_eq!(Stream::new(Form::Json, rows).head(), "");
    }

    #[test]
    fn an_unknown_format_is_answered_with_the_nearest() {
        for format in Format::ALL {
            assert_eq!(format.name().parse(), Ok(format));
        }
        let refused = "jsno".parse::<Format>().unwrap_err();
        assert!(refused.ends_with("Did you mean json?"), "{refused}");
        assert!(!"picture".parse::<Format>().unwrap_err().contains("mean"));
    }
}
