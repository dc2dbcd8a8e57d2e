//! The page of a view on a terminal: what is on it, and what a key does to it. Pure.
//!
//! Always: what was chosen stays chosen while it is there, wherever sorting moves it.

use std::time::Duration;

use super::table::{self, Cell, Health, Row, Sort, Subject};
use super::view::View;
use crate::durations;
use crate::table::visible;
use crate::terminal::{Key, Line, Tone};

/// What is looked at, and how.
#[derive(Debug, Clone)]
struct Place {
    subject: Subject,
    sort: Sort,
    filter: String,
    /// The name of the chosen row, and where it was last.
    chosen: Option<String>,
    index: usize,
    /// The first row on the page.
    first: usize,
}

impl Place {
    fn of(subject: Subject) -> Self {
        Self {
            sort: subject.usual_sort(),
            subject,
            filter: String::new(),
            chosen: None,
            index: 0,
            first: 0,
        }
    }
}

/// What the one who shows the page has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Draw,
    Quit,
    Suspend,
    /// The terminal was in other hands.
    TakeAnew,
}

pub(super) struct Page {
    every: Duration,
    /// One for each of `Subject::VIEWS`.
    places: Vec<Place>,
    view: usize,
    /// The partitions or members of what is chosen there.
    inside: Option<Place>,
    is_typing: bool,
    is_paused: bool,
    complaint: Option<String>,
}

/// Lines of the page that are no rows: two above with the heads, and the keys below.
const AROUND: usize = 4;

impl Page {
    pub(super) fn new(subject: &Subject, sort: Sort, filter: &str, every: Duration) -> Self {
        let views = Subject::VIEWS.into_iter();
        let mut places: Vec<Place> = views.map(|(_, subject)| Place::of(subject)).collect();
        let view = places.iter().position(|place| place.subject == *subject);
        let view = view.unwrap_or(0);
        if let Some(place) = places.get_mut(view) {
            place.sort = sort;
        }
        for place in &mut places {
            place.filter = filter.to_owned();
        }
        Self {
            every,
            places,
            view,
            inside: None,
            is_typing: false,
            is_paused: false,
            complaint: None,
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Says what is wrong until there is something to see again.
    pub(super) fn complain(&mut self, complaint: Option<String>) {
        self.complaint = complaint;
    }

    fn place(&mut self) -> &mut Place {
        match &mut self.inside {
            Some(place) => place,
            None => &mut self.places[self.view],
        }
    }

    /// `height` is the terminal's.
    pub(super) fn press(&mut self, key: Key, view: &View, height: usize) -> Wish {
        match key {
            Key::Interrupt => return Wish::Quit,
            Key::Suspend => return Wish::Suspend,
            Key::Continued => return Wish::TakeAnew,
            _ if self.is_typing => self.type_filter(key),
            Key::Char('q') => return Wish::Quit,
            Key::Escape | Key::Backspace => self.inside = None,
            Key::Tab => self.turn_to(self.view + 1),
            Key::BackTab => self.turn_to(self.view + Subject::VIEWS.len() - 1),
            Key::Char('t') => self.turn_to(0),
            Key::Char('g') => self.turn_to(1),
            Key::Char('b') => self.turn_to(2),
            Key::Char('p' | ' ') => self.is_paused = !self.is_paused,
            Key::Char('/') => self.is_typing = true,
            Key::Char('s' | '>') => self.sort_by(1),
            Key::Char('S' | '<') => self.sort_by(-1),
            Key::Char('r') => {
                let sort = &mut self.place().sort;
                sort.is_reversed = !sort.is_reversed;
            }
            Key::Enter => self.go_inside(view),
            Key::Up | Key::Char('k') => self.choose(view, |index| index.saturating_sub(1)),
            Key::Down | Key::Char('j') => self.choose(view, |index| index.saturating_add(1)),
            Key::PageUp => self.choose(view, |index| index.saturating_sub(room(height))),
            Key::PageDown => self.choose(view, |index| index.saturating_add(room(height))),
            Key::Home => self.choose(view, |_| 0),
            Key::End => self.choose(view, |_| usize::MAX),
            Key::Char(_) | Key::Redraw => {}
        }
        Wish::Draw
    }

    fn type_filter(&mut self, key: Key) {
        let filter = &mut self.place().filter;
        match key {
            Key::Char(c) => filter.push(c),
            Key::Backspace => {
                filter.pop();
            }
            Key::Enter => self.is_typing = false,
            Key::Escape => {
                filter.clear();
                self.is_typing = false;
            }
            _ => {}
        }
    }

    fn turn_to(&mut self, view: usize) {
        self.view = view % self.places.len();
        self.inside = None;
    }

    fn sort_by(&mut self, step: isize) {
        let place = self.place();
        let columns = place.subject.columns().len();
        let next = place.sort.column.checked_add_signed(step);
        place.sort = Sort {
            column: next.unwrap_or(columns - 1) % columns,
            is_reversed: false,
        };
    }

    fn go_inside(&mut self, view: &View) {
        if self.inside.is_some() {
            return;
        }
        self.choose(view, |index| index);
        let place = self.place();
        let Some(name) = place.chosen.clone() else {
            return;
        };
        let subject = match place.subject {
            Subject::Topics => Subject::Partitions(name),
            Subject::Groups => Subject::Members(name),
            _ => return,
        };
        self.inside = Some(Place::of(subject));
    }

    fn choose(&mut self, view: &View, to: impl Fn(usize) -> usize) {
        let place = self.place();
        let rows = place.rows(view);
        place.index = to(place.found(&rows)).min(rows.len().saturating_sub(1));
        place.chosen = rows.get(place.index).map(|row| row.name.clone());
    }

    pub(super) fn lines(&mut self, view: &View, height: usize) -> Vec<Line> {
        let mut lines = vec![self.summary(view), self.tabs()];
        let place = self.place();
        let rows = place.rows(view);
        place.index = place.found(&rows);
        let shown = place.scroll(rows.len(), room(height));
        lines.extend(place.table(&rows, shown));
        // The keys stay where they are.
        if height < usize::MAX {
            lines.resize(height.saturating_sub(2).max(lines.len()), Line::default());
        }
        lines.push(self.last_line());
        lines
    }

    fn summary(&self, view: &View) -> Line {
        let gone = view
            .brokers
            .iter()
            .filter(|broker| broker.problem.is_some())
            .count();
        let partitions: usize = view.topics.iter().map(|topic| topic.partitions.len()).sum();
        let troubled = match gone {
            0 => String::new(),
            gone => format!(" ({gone} with problems)"),
        };
        let text = format!(
            "{:.0}, every {}{}: {} brokers{troubled}, {} topics, {partitions} partitions, {} groups; cluster {}",
            view.time,
            durations::shown(self.every),
            if self.is_paused { ", PAUSED" } else { "" },
            view.brokers.len(),
            view.topics.len(),
            view.groups.len(),
            visible(view.cluster_id.as_deref().unwrap_or("unknown")),
        );
        let tone = if gone > 0 { Tone::Bad } else { Tone::Plain };
        Line::new(tone, text)
    }

    fn tabs(&self) -> Line {
        let names = Subject::VIEWS.iter().enumerate();
        let names = names.map(|(index, (name, _))| match index == self.view {
            true => format!("[{name}]"),
            false => format!(" {name} "),
        });
        let mut text = names.collect::<Vec<_>>().join(" ");
        let place = self.inside.as_ref().or_else(|| self.places.get(self.view));
        if let Some(place) = place {
            match &place.subject {
                Subject::Partitions(name) => text.push_str(&format!("  partitions of {name}")),
                Subject::Members(id) => text.push_str(&format!("  members of {}", visible(id))),
                _ => {}
            }
            if self.is_typing || !place.filter.is_empty() {
                let cursor = if self.is_typing { "_" } else { "" };
                text.push_str(&format!("  /{}{cursor}", visible(&place.filter)));
            }
        }
        Line::from(text)
    }

    fn last_line(&self) -> Line {
        match &self.complaint {
            Some(complaint) => Line::new(Tone::Bad, format!("! {}", visible(complaint))),
            None if self.is_typing => {
                Line::new(Tone::Faint, "Enter keeps the filter, Esc clears it")
            }
            None => Line::new(
                Tone::Faint,
                "q quit  Tab/t/g/b view  Enter inside  Esc back  s/S sort  r reverse  / filter  p pause",
            ),
        }
    }
}

/// How many rows there is room for.
fn room(height: usize) -> usize {
    height.saturating_sub(AROUND + 1).max(1)
}

impl Place {
    fn rows(&self, view: &View) -> Vec<Row> {
        table::rows(view, &self.subject, self.sort, &self.filter)
    }

    /// Where the chosen row is now, or one at its old place.
    fn found(&self, rows: &[Row]) -> usize {
        let chosen = self.chosen.as_ref();
        let found = chosen.and_then(|name| rows.iter().position(|row| row.name == *name));
        found
            .unwrap_or(self.index)
            .min(rows.len().saturating_sub(1))
    }

    /// The rows that are on the page: the chosen one is among them.
    fn scroll(&mut self, rows: usize, room: usize) -> std::ops::Range<usize> {
        let last_first = rows.saturating_sub(room);
        let least = (self.index + 1).saturating_sub(room);
        self.first = self
            .first
            .clamp(least, self.index.max(least))
            .min(last_first);
        self.first..self.first.saturating_add(room).min(rows)
    }

    fn table(&self, rows: &[Row], shown: std::ops::Range<usize>) -> Vec<Line> {
        let heads = self.subject.columns().iter().enumerate();
        let heads: Vec<String> = heads.map(|(index, head)| self.head(index, head)).collect();
        let cells: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.cells.iter().map(Cell::shown).collect())
            .collect();
        let mut widths: Vec<usize> = heads.iter().map(|head| head.chars().count()).collect();
        for row in &cells {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        // Texts stand left, numbers right.
        let is_text: Vec<bool> = match rows.first() {
            Some(row) => row.cells.iter().map(Cell::is_text).collect(),
            None => vec![true; heads.len()],
        };
        let line = |cells: &[String]| {
            let columns = cells.iter().zip(&widths).zip(&is_text);
            let padded = columns.map(|((cell, &width), is_text)| match is_text {
                true => format!("{cell:<width$}"),
                false => format!("{cell:>width$}"),
            });
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let mut lines = vec![Line::new(Tone::Head, format!("  {}", line(&heads)))];
        for index in shown {
            let (Some(row), Some(cells)) = (rows.get(index), cells.get(index)) else {
                continue;
            };
            let is_chosen = index == self.index;
            let tone = match row.health {
                _ if is_chosen => Tone::Chosen,
                Health::Good => Tone::Plain,
                Health::Odd => Tone::Odd,
                Health::Bad => Tone::Bad,
            };
            let mark = if is_chosen { "> " } else { "  " };
            lines.push(Line::new(tone, format!("{mark}{}", line(cells))));
        }
        if rows.is_empty() {
            let nothing = match self.filter.is_empty() {
                true => "  There are none.",
                false => "  None has this in its name.",
            };
            lines.push(Line::new(Tone::Faint, nothing));
        }
        lines
    }

    /// The column's name, marked where it is sorted by.
    fn head(&self, index: usize, head: &str) -> String {
        match (index == self.sort.column, self.sort.is_reversed) {
            (false, _) => head.to_owned(),
            (true, false) => format!("{head}▼"),
            (true, true) => format!("{head}▲"),
        }
    }
}
