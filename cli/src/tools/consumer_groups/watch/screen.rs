//! Where a watch is shown: a page on a terminal, lines or JSON elsewhere.

use std::io::{self, Write};
use std::time::Duration;

use super::super::json;
use super::{Moment, page};
use crate::context::{Context, without_escapes};
use crate::output::{Format, Stream};
use crate::terminal::{Line, Page};

pub(super) struct Screen {
    every: Duration,
    kind: Kind,
    /// What was complained of last, and nothing has been seen since.
    complaint: Option<String>,
}

enum Kind {
    /// Redrawn; what is shown now.
    Page { page: Page, lines: Vec<String> },
    /// A line for each partition, below a head that comes once.
    Lines { has_head: bool },
    /// As data.
    Data(Stream),
}

impl Screen {
    pub(super) fn new(every: Duration, format: Format, cx: &Context) -> Self {
        let kind = match format {
            Format::Data(form) => Kind::Data(Stream::new(form, json::OFFSETS)),
            Format::Table if cx.stdout_is_terminal => Kind::Page {
                page: Page::to_look_at(),
                lines: Vec::new(),
            },
            Format::Table => Kind::Lines { has_head: false },
        };
        Self {
            every,
            kind,
            complaint: None,
        }
    }

    pub(super) fn show(&mut self, moment: &Moment, cx: &mut Context) -> io::Result<()> {
        match (&self.kind, page::nothing(moment)) {
            // Without a line nobody could tell it from a watch that hangs.
            (Kind::Lines { .. }, Some(nothing)) => self.complain(&nothing, cx)?,
            _ => self.complaint = None,
        }
        match &mut self.kind {
            Kind::Page { lines, .. } => {
                *lines = page::page(moment, self.every);
                self.draw(cx)
            }
            Kind::Lines { has_head } => {
                let text = page::lines(moment, !std::mem::replace(has_head, true));
                cx.out.write_all(text.as_bytes())?;
                cx.flush()
            }
            Kind::Data(stream) => stream.tell(page::json(moment), cx),
        }
    }

    /// Says what is wrong, below what was seen last.
    pub(super) fn complain(&mut self, sentence: &str, cx: &mut Context) -> io::Result<()> {
        match &mut self.kind {
            Kind::Page { lines, .. } => {
                lines.truncate(
                    lines
                        .iter()
                        .take_while(|line| !line.starts_with(MARK))
                        .count(),
                );
                lines.push(format!("{MARK}{}", without_escapes(sentence)));
                self.draw(cx)
            }
            // Once, however long it lasts: whoever keeps the lines keeps these, too.
            Kind::Lines { .. } | Kind::Data(_) => {
                if self.complaint.as_deref() != Some(sentence) {
                    cx.warn(sentence);
                    self.complaint = Some(sentence.to_owned());
                }
                Ok(())
            }
        }
    }

    fn draw(&mut self, cx: &mut Context) -> io::Result<()> {
        let Kind::Page { page, lines } = &mut self.kind else {
            return Ok(());
        };
        let lines: Vec<Line> = lines.iter().cloned().map(Line::from).collect();
        page.draw(&lines, cx)
    }

    /// Gives the terminal back, and leaves on it what was seen last.
    pub(super) fn leave(&mut self, cx: &mut Context) -> io::Result<()> {
        if let Kind::Page { page, lines } = &mut self.kind
            && page.leave(cx)?
        {
            writeln!(cx.out, "{}", lines.join("\n"))?;
        }
        cx.flush()
    }
}

/// What stands before a complaint.
const MARK: &str = "! ";
