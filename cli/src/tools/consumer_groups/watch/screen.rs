//! Where a watch is shown: a page on a terminal, lines or JSON elsewhere.

use std::io::{self, Write};
use std::time::Duration;

use terminal_size::{Height, Width, terminal_size};

use super::super::json;
use super::{Moment, page};
use crate::context::{Context, without_escapes};

use crate::output::{Format, Stream};

pub(super) struct Screen {
    every: Duration,
    kind: Kind,
    /// What was complained of last, and nothing has been seen since.
    complaint: Option<String>,
}

enum Kind {
    /// Redrawn; what is shown now.
    Page {
        lines: Vec<String>,
        is_entered: bool,
    },
    /// A line for each partition, below a head that comes once.
    Lines { has_head: bool },
    /// As data.
    Data(Stream),
}

/// The terminal's other page, without a cursor; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
const TOP: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

impl Screen {
    pub(super) fn new(every: Duration, format: Format, cx: &Context) -> Self {
        let kind = match format {
            Format::Data(form) => Kind::Data(Stream::new(form, json::OFFSETS)),
            Format::Table if cx.stdout_is_terminal => Kind::Page {
                lines: Vec::new(),
                is_entered: false,
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
        let Kind::Page { lines, is_entered } = &mut self.kind else {
            return Ok(());
        };
        if !std::mem::replace(is_entered, true) {
            write!(cx.out, "{ENTER}")?;
        }
        let size = terminal_size().map(|(Width(width), Height(height))| (width, height));
        write!(cx.out, "{TOP}{}{CLEAR_BELOW}", fitted(lines, size))?;
        cx.flush()
    }

    /// Gives the terminal back, and leaves on it what was seen last.
    pub(super) fn leave(&mut self, cx: &mut Context) -> io::Result<()> {
        if let Kind::Page {
            lines,
            is_entered: true,
        } = &self.kind
        {
            writeln!(cx.out, "{LEAVE}{}", lines.join("\n"))?;
        }
        cx.flush()
    }
}

/// What stands before a complaint.
const MARK: &str = "! ";

/// As much of the lines as the terminal has room for: a line that wraps or a page that scrolls cannot be redrawn.
fn fitted(lines: &[String], size: Option<(u16, u16)>) -> String {
    let (width, height) = size.map_or((usize::MAX, usize::MAX), |(width, height)| {
        (usize::from(width.max(1)), usize::from(height.max(2)))
    });
    let mut shown: Vec<String> = lines.to_vec();
    if lines.len() >= height {
        shown.truncate(height - 2);
        shown.push(format!("… {} lines more", lines.len() - shown.len()));
    }
    let mut text = String::new();
    for line in shown {
        text.extend(line.chars().take(width));
        text.push_str(CLEAR_LINE);
        // The terminal may be in a mode that does not return by itself.
        text.push_str("\r\n");
    }
    text
}

#[test]
fn a_page_is_cut_to_the_terminal() {
    let lines: Vec<String> = (0..5).map(|n| format!("line {n}")).collect();
    let plain = |size| {
        fitted(&lines, size)
            .replace(CLEAR_LINE, "")
            .replace("\r\n", "|")
    };
    assert_eq!(plain(None), "line 0|line 1|line 2|line 3|line 4|");
    assert_eq!(plain(Some((80, 6))), "line 0|line 1|line 2|line 3|line 4|");
    assert_eq!(plain(Some((5, 5))), "line |line |line |… 2 l|");
    assert_eq!(plain(Some((0, 0))), "…|");
}
