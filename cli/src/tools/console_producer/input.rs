//! Lines as they come, of standard input or of files one behind the other, and what a person sees of it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::vec;

use crate::context::Context;
use crate::progress::{Progress, stdin_bytes};
use crate::stop::{Failure, Stop};

use super::lines::Lines;
use super::own::Source;

pub(super) struct Input {
    lines: Lines,
    /// What is being read, for messages.
    name: String,
    later: vec::IntoIter<PathBuf>,
    is_whole: bool,
    line_bytes_max: usize,
    read: u64,
    read_bytes: u64,
    prompt: bool,
    progress: Progress,
}

impl Input {
    pub(super) fn of(source: &Source, line_bytes_max: usize, cx: &Context) -> Self {
        let is_whole = source.is_whole;
        let of_stdin = source.files.is_empty();
        let total = match of_stdin {
            true => stdin_bytes(),
            false => source.bytes,
        };
        let mut later = source.files.clone().into_iter();
        let (name, lines) = match later.next() {
            None => (
                "standard input".to_owned(),
                lines(io::stdin(), is_whole, line_bytes_max),
            ),
            Some(path) => of_file(path, is_whole, line_bytes_max),
        };
        Self {
            lines,
            name,
            later,
            is_whole,
            line_bytes_max,
            read: 0,
            read_bytes: 0,
            prompt: of_stdin && cx.stdin_is_terminal && cx.stdout_is_terminal,
            progress: Progress::of_bytes(total, cx),
        }
    }

    /// Whether a person types the lines.
    pub(super) fn prompts(&self) -> bool {
        self.prompt
    }

    /// The next line and its number.
    pub(super) async fn next(&mut self, cx: &mut Context) -> Result<Option<(&[u8], u64)>, Stop> {
        let line = self.find(cx).await?;
        Ok(line.map(|line| (self.lines.line(line), self.read)))
    }

    /// The same where nothing has to be waited for and nobody to be asked.
    pub(super) fn next_at_hand(&mut self) -> Option<(&[u8], u64)> {
        let line = match self.prompt {
            true => None,
            false => self.lines.cut(),
        }?;
        self.count(&line);
        Some((self.lines.line(line), self.read))
    }

    async fn find(&mut self, cx: &mut Context) -> Result<Option<Range<usize>>, Stop> {
        if self.prompt {
            write!(cx.out, ">")?;
            cx.flush()?;
        }
        let line = loop {
            let found = self.lines.next().await;
            if let Some(line) = found.map_err(|error| self.unreadable(&error))? {
                break line;
            }
            let Some(path) = self.later.next() else {
                return Ok(None);
            };
            (self.name, self.lines) = of_file(path, self.is_whole, self.line_bytes_max);
        };
        self.count(&line);
        Ok(Some(line))
    }

    fn count(&mut self, line: &Range<usize>) {
        self.read += 1;
        self.read_bytes += line.len() as u64 + 1;
        self.progress.set(self.read_bytes);
    }

    fn unreadable(&self, error: &io::Error) -> Failure {
        Failure::new(format!("Cannot read {}: {error}", self.name))
    }
}

fn of_file(path: PathBuf, is_whole: bool, line_bytes_max: usize) -> (String, Lines) {
    let name = path.display().to_string();
    (name, lines(Unopened::Not(path), is_whole, line_bytes_max))
}

fn lines(input: impl Read + Send + 'static, is_whole: bool, line_bytes_max: usize) -> Lines {
    match is_whole {
        true => Lines::whole(input, line_bytes_max),
        false => Lines::of(input, line_bytes_max),
    }
}

/// A file that is opened where it is read: opening a pipe with a name waits for who writes to it.
enum Unopened {
    Not(PathBuf),
    Open(File),
}

impl Read for Unopened {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self {
                Self::Open(file) => return file.read(into),
                Self::Not(path) => *self = Self::Open(File::open(path)?),
            }
        }
    }
}
