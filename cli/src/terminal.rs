//! The terminal's other page: redrawn as a whole, with or without keys, and given back.
//!
//! Always: whoever takes the terminal gives it back, however the process ends or stops, short of SIGKILL: when the page is
//! dropped, before a panic is told, before a second signal ends the process, and while it is suspended. Not here: what
//! stands on the page.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Once;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc as blocking;
use std::thread;
use std::time::Duration;

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use signal_hook::consts::{SIGCONT, SIGTSTP};
use signal_hook::low_level::emulate_default_handler;
use terminal_size::{Height, Width, terminal_size};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::context::Context;

/// The other page, without a cursor, and lines that are cut at the edge; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";
const TOP: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";
const PLAIN: &str = "\x1b[0m";

/// How a line looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    Head,
    Chosen,
    Faint,
    Good,
    Odd,
    Bad,
}

impl Tone {
    /// Colours are for those who want some; the rest is no colour.
    fn begins(self, has_colours: bool) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Head => "\x1b[1m",
            Self::Chosen => "\x1b[7m",
            Self::Faint => "\x1b[2m",
            Self::Good if has_colours => "\x1b[32m",
            Self::Odd if has_colours => "\x1b[33m",
            Self::Bad if has_colours => "\x1b[31m",
            Self::Good | Self::Odd => "",
            Self::Bad => "\x1b[1m",
        }
    }
}

/// Whether colours are welcome on a terminal: <https://no-color.org>, and a terminal that knows some.
pub(crate) fn wants_colours() -> bool {
    let says_no = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let knows_none = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    !says_no && !knows_none
}

/// Each line in its tone, where the text is for a terminal that wants colours; else as it is.
pub(crate) fn painted(text: &str, is_terminal: bool, tone_of: impl Fn(&str) -> Tone) -> String {
    if !is_terminal || !wants_colours() {
        return text.to_owned();
    }
    let lines = text.split_inclusive('\n').map(|line| {
        let (bare, end) = match line.strip_suffix('\n') {
            Some(bare) => (bare, "\n"),
            None => (line, ""),
        };
        match tone_of(bare).begins(true) {
            "" => line.to_owned(),
            begins => format!("{begins}{bare}{PLAIN}{end}"),
        }
    });
    lines.collect()
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

impl Line {
    pub(crate) fn new(tone: Tone, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { text, tone }
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::new(Tone::Plain, text)
    }
}

/// What is to be undone; there is one terminal.
static TAKEN: AtomicU8 = AtomicU8::new(NOTHING);
const NOTHING: u8 = 0;
const PAGE: u8 = 1;
const KEYS: u8 = 2;

/// Undoes what was done to the terminal, if anything was.
fn give_back() {
    let taken = TAKEN.swap(NOTHING, Ordering::SeqCst);
    if taken & KEYS != 0 {
        disable_raw_mode().ok();
    }
    if taken & PAGE != 0 {
        // Not through the buffers, which may be in use where this one is called.
        let stdout = io::stdout().as_fd().try_clone_to_owned().map(File::from);
        stdout
            .and_then(|mut stdout| stdout.write_all(LEAVE.as_bytes()))
            .ok();
    }
}

/// The same for a process that is about to end and cannot wait for a terminal that takes nothing.
pub(crate) fn give_back_soon() {
    let (done, is_done) = blocking::channel();
    thread::spawn(move || {
        give_back();
        done.send(()).ok();
    });
    is_done.recv_timeout(Duration::from_millis(200)).ok();
}

fn take(with_keys: bool) -> io::Result<()> {
    static PANICS: Once = Once::new();
    PANICS.call_once(|| {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            tell(panic);
        }));
    });
    if with_keys {
        enable_raw_mode()?;
    }
    TAKEN.store(if with_keys { PAGE | KEYS } else { PAGE }, Ordering::SeqCst);
    Ok(())
}

/// The page. Taken with the first drawing.
pub(crate) struct Page {
    with_keys: bool,
    is_taken: bool,
    has_colours: bool,
}

impl Page {
    /// One that is only looked at.
    pub(crate) fn to_look_at() -> Self {
        Self::new(false)
    }

    /// One where each key is told at once, those that would end or suspend the process too.
    pub(crate) fn with_keys() -> Self {
        Self::new(true)
    }

    fn new(with_keys: bool) -> Self {
        Self {
            with_keys,
            is_taken: false,
            has_colours: wants_colours(),
        }
    }

    pub(crate) fn draw(&mut self, lines: &[Line], cx: &mut Context) -> io::Result<()> {
        if !self.is_taken {
            take(self.with_keys)?;
            self.is_taken = true;
            write!(cx.out, "{ENTER}")?;
        }
        let text = fitted(lines, size(), self.has_colours);
        write!(cx.out, "{TOP}{text}{CLEAR_BELOW}")?;
        cx.flush()
    }

    /// Gives the terminal back; whether there was anything to give.
    pub(crate) fn leave(&mut self, cx: &mut Context) -> io::Result<bool> {
        let flushed = cx.flush();
        let was_taken = self.is_taken;
        self.give_back();
        flushed.map(|()| was_taken)
    }

    /// Stops the process as Ctrl-Z does, and goes on when it is continued. The page must be drawn anew then.
    pub(crate) fn suspend(&mut self, cx: &mut Context) -> io::Result<()> {
        self.leave(cx)?;
        emulate_default_handler(SIGTSTP)
    }

    /// After others may have changed the terminal. The page must be drawn anew.
    pub(crate) fn lost(&mut self) {
        self.give_back();
    }

    fn give_back(&mut self) {
        if std::mem::take(&mut self.is_taken) {
            give_back();
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Columns and lines; as many as you like where nobody knows.
pub(crate) fn size() -> (usize, usize) {
    terminal_size().map_or(
        (usize::MAX, usize::MAX),
        |(Width(width), Height(height))| (usize::from(width.max(1)), usize::from(height.max(2))),
    )
}

/// As much of the lines as the terminal has room for: a line that wraps or a page that scrolls cannot be redrawn.
fn fitted(lines: &[Line], (width, height): (usize, usize), has_colours: bool) -> String {
    let mut shown = lines.to_vec();
    if lines.len() >= height {
        shown.truncate(height.saturating_sub(2));
        shown.push(format!("… {} lines more", lines.len() - shown.len()).into());
    }
    let mut text = String::new();
    for line in shown {
        let begins = line.tone.begins(has_colours);
        text.push_str(begins);
        text.extend(line.text.chars().take(width));
        if !begins.is_empty() {
            text.push_str(PLAIN);
        }
        text.push_str(CLEAR_LINE);
        // The terminal may be in a mode that does not return by itself.
        text.push_str("\r\n");
    }
    text
}

/// What somebody at the terminal does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Char(char),
    Enter,
    Escape,
    Backspace,
    Tab,
    BackTab,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    /// Ctrl-C, which is no signal where each key is told.
    Interrupt,
    /// Ctrl-Z, or the signal.
    Suspend,
    /// The process goes on after it was stopped.
    Continued,
    /// The terminal has another size, or somebody wants to see it drawn anew.
    Redraw,
}

impl Key {
    fn of(event: Event) -> Option<Self> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => Self::of_key(key),
            Event::Resize(..) => Some(Self::Redraw),
            _ => None,
        }
    }

    fn of_key(key: KeyEvent) -> Option<Self> {
        let with_control = key.modifiers.contains(KeyModifiers::CONTROL);
        Some(match key.code {
            KeyCode::Char('c') if with_control => Self::Interrupt,
            KeyCode::Char('z') if with_control => Self::Suspend,
            KeyCode::Char('l') if with_control => Self::Redraw,
            KeyCode::Char('h') if with_control => Self::Backspace,
            KeyCode::Char(c) if !with_control => Self::Char(c),
            KeyCode::Enter => Self::Enter,
            KeyCode::Esc => Self::Escape,
            KeyCode::Backspace => Self::Backspace,
            KeyCode::Tab => Self::Tab,
            KeyCode::BackTab => Self::BackTab,
            KeyCode::Up => Self::Up,
            KeyCode::Down => Self::Down,
            KeyCode::PageUp => Self::PageUp,
            KeyCode::PageDown => Self::PageDown,
            KeyCode::Home => Self::Home,
            KeyCode::End => Self::End,
            _ => return None,
        })
    }
}

/// The keys as they come, and the signals of whoever suspends and continues the process.
pub(crate) struct Keys {
    pressed: mpsc::Receiver<Key>,
    suspend: Signal,
    go_on: Signal,
}

impl Keys {
    /// Begins to listen, once the page has been drawn. Must be called within a tokio runtime.
    pub(crate) fn listen() -> io::Result<Self> {
        let (sender, pressed) = mpsc::channel(64);
        thread::spawn(move || {
            // It ends with the process: nothing can wake it.
            while let Ok(event) = event::read() {
                if Key::of(event).is_some_and(|key| sender.blocking_send(key).is_err()) {
                    return;
                }
            }
        });
        Ok(Self {
            pressed,
            suspend: signal(SignalKind::from_raw(SIGTSTP))?,
            go_on: signal(SignalKind::from_raw(SIGCONT))?,
        })
    }

    pub(crate) async fn next(&mut self) -> Key {
        tokio::select! {
            Some(key) = self.pressed.recv() => key,
            Some(()) = self.suspend.recv() => Key::Suspend,
            Some(()) = self.go_on.recv() => Key::Continued,
            else => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_cut_to_the_terminal() {
        let lines: Vec<Line> = (0..5).map(|n| format!("line {n}").into()).collect();
        let plain = |size| {
            fitted(&lines, size, true)
                .replace(CLEAR_LINE, "")
                .replace("\r\n", "|")
        };
        let anything = (usize::MAX, usize::MAX);
        assert_eq!(plain(anything), "line 0|line 1|line 2|line 3|line 4|");
        assert_eq!(plain((80, 6)), "line 0|line 1|line 2|line 3|line 4|");
        assert_eq!(plain((5, 5)), "line |line |line |… 2 l|");
        assert_eq!(plain((1, 2)), "…|");
    }

    #[test]
    fn who_wants_no_colours_gets_none() {
        let lines = [Line::new(Tone::Odd, "odd"), Line::new(Tone::Bad, "bad")];
        let shown = |has_colours| fitted(&lines, (80, 24), has_colours).replace(CLEAR_LINE, "");
        assert_eq!(shown(true), "\x1b[33modd\x1b[0m\r\n\x1b[31mbad\x1b[0m\r\n");
        assert_eq!(shown(false), "odd\r\n\x1b[1mbad\x1b[0m\r\n");
    }

    #[test]
    fn keys_are_told_once_and_with_what_is_held() {
        let key = |code, modifiers| Key::of(Event::Key(KeyEvent::new(code, modifiers)));
        let control = KeyModifiers::CONTROL;
        assert_eq!(key(KeyCode::Char('c'), control), Some(Key::Interrupt));
        assert_eq!(key(KeyCode::Char('x'), control), None);
        let none = KeyModifiers::NONE;
        assert_eq!(key(KeyCode::Char('c'), none), Some(Key::Char('c')));
        assert_eq!(Key::of(Event::Resize(80, 24)), Some(Key::Redraw));
    }
}
