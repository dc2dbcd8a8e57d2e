//! What a tool sees of the process it runs in: its streams, and the runtime its network calls run on.
//!
//! Tools never print; they write here. Standard output is buffered and flushed at the end of the run, by
//! [`Context::flush`] for whoever shows records as they come, and before anything goes to standard error.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::{self, BufRead, BufWriter, IsTerminal, Read, Write};
use std::pin::Pin;
use std::time::Duration;

use indicatif::WeakProgressBar;

use crate::terminal::{self, Tone};

/// A longer line is no answer.
const ANSWER_BYTES_MAX: u64 = 1024;

pub struct Context {
    /// The name the tool was called by, for hints: `ottla topics`, `kafka-topics.sh`.
    pub program: String,
    pub out: Box<dyn Write>,
    pub err: Box<dyn Write>,
    pub stdin_is_terminal: bool,
    pub stdout_is_terminal: bool,
    pub stderr_is_terminal: bool,
    /// How long to wait for brokers that do not answer (`--timeout`), where it is not for the tool to say.
    pub timeout: Option<Duration>,
    /// `--yes`: what would be asked is answered already.
    pub yes: bool,
    /// The bar that is on the terminal now, if one is.
    pub(crate) bar: RefCell<WeakProgressBar>,
}

impl Context {
    pub fn of_process(program: impl Into<String>) -> Self {
        Self {
            program: program.into(),
            out: Box::new(BufWriter::with_capacity(64 * 1024, io::stdout())),
            err: Box::new(io::stderr()),
            stdin_is_terminal: io::stdin().is_terminal(),
            stdout_is_terminal: io::stdout().is_terminal(),
            stderr_is_terminal: io::stderr().is_terminal(),
            timeout: None,
            yes: false,
            bar: RefCell::default(),
        }
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// A line on standard error. That nobody reads it is no reason to stop.
    pub fn warn(&mut self, line: impl AsRef<str>) {
        self.say(line.as_ref(), Tone::Plain);
    }

    /// The same for what has failed, which is seen from afar on a terminal.
    pub fn fail(&mut self, line: impl AsRef<str>) {
        self.say(line.as_ref(), Tone::Bad);
    }

    fn say(&mut self, line: &str, tone: Tone) {
        let line = without_escapes(line);
        let line = terminal::painted(&line, self.stderr_is_terminal, |_| tone);
        self.aside(|cx| {
            // The order of the two streams is kept for whoever looks at both.
            if cx.out.flush().is_ok() {
                writeln!(cx.err, "{line}").ok();
            }
        });
    }

    /// Runs what writes to the terminal without the bar in between.
    pub(crate) fn aside<T>(&mut self, write: impl FnOnce(&mut Self) -> T) -> T {
        // Within it, no bar is to be put aside again.
        let bar = self.bar.take();
        let written = match bar.upgrade() {
            Some(bar) => bar.suspend(|| write(self)),
            None => write(self),
        };
        *self.bar.get_mut() = bar;
        written
    }

    /// Whether somebody is there to be asked before anything is deleted, and `--yes` has not answered.
    pub fn is_attended(&self) -> bool {
        self.stdin_is_terminal && self.stdout_is_terminal && !self.yes
    }

    /// Asks whoever sits at the terminal, who has to say yes in so many letters.
    pub fn ask(&mut self, question: &str) -> io::Result<bool> {
        self.out.flush()?;
        write!(self.err, "{} [y/N] ", without_escapes(question))?;
        self.err.flush()?;
        let mut answer = String::new();
        io::stdin()
            .lock()
            .take(ANSWER_BYTES_MAX)
            .read_line(&mut answer)?;
        let answer = answer.trim();
        Ok(answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes"))
    }
}

/// A line on standard error for who has no context in hand, as whatever goes on meanwhile has it.
pub(crate) fn say_beside(line: &str) {
    writeln!(io::stderr(), "{}", without_escapes(line)).ok();
}

/// What brokers and files say must not steer the terminal.
pub(crate) fn without_escapes(text: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| {
        if steers(c) {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    };
    Cow::Owned(text.chars().map(shown).collect())
}

/// The same for bytes of others that are to be shown: what is no text is there as `\xNN`.
pub(crate) fn harmless(bytes: &[u8]) -> Cow<'_, [u8]> {
    let is_text = |text| matches!(without_escapes(text), Cow::Borrowed(_));
    if str::from_utf8(bytes).is_ok_and(is_text) {
        return Cow::Borrowed(bytes);
    }
    let mut shown = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        shown.extend_from_slice(without_escapes(chunk.valid()).as_bytes());
        for byte in chunk.invalid() {
            shown.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        }
    }
    Cow::Owned(shown)
}

/// Runs the network part of a tool. One thread: a tool waits far more than it computes, and starting a pool of
/// threads would cost more than most tools take.
pub fn block_on<T>(work: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(boxed(work));
    // A blocking read of standard input cannot be interrupted, and nobody waits for it any more.
    runtime.shutdown_background();
    Ok(result)
}

/// The same for work that may be held up by standard output: a thread beside it keeps connections and memberships of
/// groups alive meanwhile.
pub fn block_on_beside<T>(work: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let result = runtime.block_on(boxed(work));
    runtime.shutdown_background();
    Ok(result)
}

/// The runtime polls from several places, and without this pointer each of them would get a copy of the whole tool: two
/// copies more of everything asynchronous, a megabyte of them.
fn boxed<'a, T>(work: impl Future<Output = T> + 'a) -> Pin<Box<dyn Future<Output = T> + 'a>> {
    Box::pin(work)
}

#[test]
fn what_others_wrote_cannot_steer_the_terminal() {
    assert_eq!(without_escapes("a\tb\nc ä"), "a\tb\nc ä");
    assert_eq!(without_escapes("\x1b[2Jgone\r"), "\\u{1b}[2Jgone\\r");
    assert_eq!(*harmless("a\tä\n".as_bytes()), *"a\tä\n".as_bytes());
    assert_eq!(*harmless(b"\x1bc \xff\xe4 ok"), *b"\\u{1b}c \\xff\\xe4 ok");
}
