//! A filter: a program that is told records and answers each.
//!
//! Always: a filter that has failed a batch (ended, gone silent, answered in no known form) is ended, and the next batch is told to a
//! new one, so that no answer is taken for another record's. What a filter says unasked between two batches ends it for good, as
//! nobody knows to which records its earlier answers belong. Its standard error is the tool's own.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::format::Format;

/// How filters are run.
#[derive(Debug, Clone)]
pub(super) struct FilterSettings {
    pub(super) command: Vec<String>,
    pub(super) format: Format,
    /// Ends the filter's input after each batch: for filters that answer only then.
    pub(super) is_per_batch: bool,
    /// How long it may take until the next answer.
    pub(super) deadline: Duration,
}

/// An answer longer than this is none.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How long a filter may take to end by itself once its input has ended.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Filter {
    settings: FilterSettings,
    running: Option<Running>,
    /// How often it was started after the first time, without being asked to.
    pub(super) restarts: u64,
    was_started: bool,
}

#[derive(Debug)]
struct Running {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

/// What keeps a batch from being answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilterError {
    #[error("the filter {program} can't be started: {error}")]
    NotStarted { program: String, error: io::Error },
    #[error("the filter has ended ({status}) after {answers} of {records} answers")]
    Ended {
        status: String,
        answers: usize,
        records: usize,
    },
    #[error(
        "the filter has not answered within {} ms, after {answers} of {records} answers",
        deadline.as_millis()
    )]
    Silent {
        deadline: Duration,
        answers: usize,
        records: usize,
    },
    #[error("the filter has more answers than the {records} records it was told")]
    TooMany { records: usize },
    #[error(
        "the filter has answered more than it was told, after its batch was done: results may have gone to other records"
    )]
    Unasked,
    #[error("the filter's answer is longer than {ANSWER_BYTES_MAX} bytes")]
    TooLong,
    #[error("the filter has failed ({0})")]
    Failed(String),
    #[error("the filter can't be talked to: {0}")]
    Io(#[from] io::Error),
}

impl Filter {
    pub(super) fn new(settings: FilterSettings) -> Self {
        Self {
            settings,
            running: None,
            restarts: 0,
            was_started: false,
        }
    }

    /// Starts the program where it does not run.
    pub(super) fn start(&mut self) -> Result<(), FilterError> {
        if self.running.is_some() {
            return Ok(());
        }
        let mut words = self.settings.command.iter();
        let program = words.next().cloned().unwrap_or_default();
        let not_started = |error| FilterError::NotStarted {
            program: program.clone(),
            error,
        };
        let mut child = Command::new(&program)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A signal from the terminal is for the tool, which lets the batch be finished first.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(not_started)?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both are pipes")
        };
        self.restarts += u64::from(self.was_started && !self.settings.is_per_batch);
        self.was_started = true;
        self.running = Some(Running {
            child,
            stdin,
            stdout: BufReader::new(stdout),
        });
        Ok(())
    }

    /// Tells it so many records and returns their answers.
    pub(super) async fn ask(
        &mut self,
        told: &[u8],
        records: usize,
    ) -> Result<Vec<Option<Bytes>>, FilterError> {
        if records == 0 {
            return Ok(Vec::new());
        }
        if let Some(running) = &mut self.running
            && running.has_said_more().await
        {
            return Err(FilterError::Unasked);
        }
        self.start()?;
        let Some(running) = self.running.take() else {
            unreachable!("just started")
        };
        let (format, deadline) = (self.settings.format, self.settings.deadline);
        if self.settings.is_per_batch {
            return running.whole_batch(told, records, format, deadline).await;
        }
        let mut running = running;
        let mut answers = Vec::with_capacity(records);
        let telling = async {
            let told = running.stdin.write_all(told).await;
            match told {
                // Why it reads no further its output or its end says better.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                told => Ok::<(), FilterError>(told?),
            }
        };
        let listening = async {
            while answers.len() < records {
                let silent = |answers| FilterError::Silent {
                    deadline,
                    answers,
                    records,
                };
                let answer = timeout(deadline, next(&mut running.stdout, format)).await;
                match answer.map_err(|_| silent(answers.len()))?? {
                    Some(answer) => answers.push(answer.0),
                    None => return Err(ended(&mut running.child, answers.len(), records).await),
                }
            }
            Ok(())
        };
        // Whichever fails first ends the other: nobody may write to a filter that reads no more.
        tokio::try_join!(telling, listening)?;
        if running.has_said_more().await {
            return Err(FilterError::TooMany { records });
        }
        self.running = Some(running);
        Ok(answers)
    }

    /// Ends its input and waits for it to end.
    pub(super) async fn close(self) {
        if let Some(running) = self.running {
            let Running {
                mut child, stdin, ..
            } = running;
            drop(stdin);
            let _ = timeout(ENDS_WITHIN, child.wait()).await;
        }
    }
}

impl Running {
    /// Whether there is output that nobody has read, as of now.
    async fn has_said_more(&mut self) -> bool {
        poll_fn(|context| {
            let there = Pin::new(&mut self.stdout).poll_fill_buf(context);
            Poll::Ready(matches!(there, Poll::Ready(Ok(there)) if !there.is_empty()))
        })
        .await
    }

    async fn whole_batch(
        mut self,
        told: &[u8],
        records: usize,
        format: Format,
        deadline: Duration,
    ) -> Result<Vec<Option<Bytes>>, FilterError> {
        let mut stdin = self.stdin;
        let telling = async {
            let outcome = stdin.write_all(told).await;
            drop(stdin);
            match outcome {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                outcome => Ok::<(), FilterError>(outcome?),
            }
        };
        let mut answers = Vec::with_capacity(records);
        let listening = async {
            loop {
                let silent = |answers| FilterError::Silent {
                    deadline,
                    answers,
                    records,
                };
                let answer = timeout(deadline, next(&mut self.stdout, format)).await;
                match answer.map_err(|_| silent(answers.len()))?? {
                    Some(_) if answers.len() == records => {
                        return Err(FilterError::TooMany { records });
                    }
                    Some(answer) => answers.push(answer.0),
                    None => return Ok(()),
                }
            }
        };
        tokio::try_join!(telling, listening)?;
        let status = timeout(deadline, self.child.wait()).await;
        match status {
            Ok(status) if !status.as_ref().is_ok_and(ExitStatus::success) => {
                Err(FilterError::Failed(shown(status)))
            }
            _ if answers.len() < records => {
                Err(ended(&mut self.child, answers.len(), records).await)
            }
            _ => Ok(answers),
        }
    }
}

async fn ended(child: &mut Child, answers: usize, records: usize) -> FilterError {
    let status = match timeout(ENDS_WITHIN, child.wait()).await {
        Ok(status) => shown(status),
        Err(_) => "it has closed its output".to_owned(),
    };
    FilterError::Ended {
        status,
        answers,
        records,
    }
}

fn shown(status: io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    }
}

/// An answer that has come; within it, none stands for no value.
struct Answer(Option<Bytes>);

/// The next answer; none at the end of the output.
async fn next(
    stdout: &mut BufReader<ChildStdout>,
    format: Format,
) -> Result<Option<Answer>, FilterError> {
    match format {
        Format::Lines | Format::Json => next_line(stdout).await,
        Format::Length => next_of_length(stdout).await,
    }
}

async fn next_line(stdout: &mut BufReader<ChildStdout>) -> Result<Option<Answer>, FilterError> {
    let mut line = Vec::new();
    loop {
        let there = stdout.fill_buf().await?;
        if there.is_empty() {
            // A last line without its end may be half of one.
            return Ok(None);
        }
        let end = memchr::memchr(b'\n', there);
        let taken = end.unwrap_or(there.len());
        line.extend_from_slice(there.get(..taken).unwrap_or_default());
        stdout.consume(taken + usize::from(end.is_some()));
        if line.len() > ANSWER_BYTES_MAX {
            return Err(FilterError::TooLong);
        }
        if end.is_some() {
            return Ok(Some(Answer(Some(line.into()))));
        }
    }
}

async fn next_of_length(
    stdout: &mut BufReader<ChildStdout>,
) -> Result<Option<Answer>, FilterError> {
    if stdout.fill_buf().await?.is_empty() {
        return Ok(None);
    }
    let Ok(length) = usize::try_from(stdout.read_i32().await?) else {
        return Ok(Some(Answer(None)));
    };
    if length > ANSWER_BYTES_MAX {
        return Err(FilterError::TooLong);
    }
    let mut value = Vec::new();
    let read = (&mut *stdout)
        .take(length as u64)
        .read_to_end(&mut value)
        .await?;
    if read < length {
        return Ok(None);
    }
    Ok(Some(Answer(Some(value.into()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(script: &str, format: Format, is_per_batch: bool) -> Filter {
        Filter::new(FilterSettings {
            command: ["sh", "-c", script].map(str::to_owned).to_vec(),
            format,
            is_per_batch,
            deadline: Duration::from_secs(20),
        })
    }

    fn texts(answers: Vec<Option<Bytes>>) -> Vec<String> {
        let text = |answer: Option<Bytes>| match answer {
            Some(answer) => String::from_utf8_lossy(&answer).into_owned(),
            None => "null".to_owned(),
        };
        answers.into_iter().map(text).collect()
    }

    const UPPER: &str = "while read -r line; do echo \"$line!\"; done";

    #[tokio::test]
    async fn one_filter_answers_batch_after_batch() {
        let mut filter = filter(UPPER, Format::Lines, false);
        for _ in 0..2 {
            let answers = filter.ask(b"a\n\nb\n", 3).await.unwrap();
            assert_eq!(texts(answers), ["a!", "!", "b!"]);
        }
        assert_eq!(filter.restarts, 0);
        filter.close().await;
    }

    #[tokio::test]
    async fn more_than_fits_into_pipes_goes_through() {
        let mut filter = filter("cat", Format::Lines, false);
        let line = "x".repeat(1000) + "\n";
        let answers = filter
            .ask(line.repeat(2000).as_bytes(), 2000)
            .await
            .unwrap();
        assert_eq!(answers.len(), 2000);
    }

    #[tokio::test]
    async fn a_filter_that_ends_is_started_anew_for_the_next_batch() {
        let mut filter = filter("read -r line; echo first; exit 3", Format::Lines, false);
        let error = filter.ask(b"a\nb\n", 2).await.unwrap_err().to_string();
        assert!(
            error.contains("exit status: 3") && error.contains("1 of 2"),
            "{error}"
        );
        assert_eq!(texts(filter.ask(b"a\n", 1).await.unwrap()), ["first"]);
        assert_eq!(filter.restarts, 1);
    }

    #[tokio::test]
    async fn a_filter_that_stays_silent_is_given_up() {
        let mut filter = filter("exec sleep 1000", Format::Lines, false);
        filter.settings.deadline = Duration::from_millis(50);
        let error = filter.ask(b"a\n", 1).await.unwrap_err();
        assert!(
            matches!(error, FilterError::Silent { answers: 0, .. }),
            "{error}"
        );
    }

    #[tokio::test]
    async fn whoever_answers_only_at_the_end_of_input_is_asked_batch_by_batch() {
        let mut filter = filter("sort -r", Format::Lines, true);
        for _ in 0..2 {
            assert_eq!(texts(filter.ask(b"a\nb\n", 2).await.unwrap()), ["b", "a"]);
        }
        assert_eq!(filter.restarts, 0);
        let mut chatty = self::filter("cat; echo more", Format::Lines, true);
        let error = chatty.ask(b"a\n", 1).await.unwrap_err();
        assert!(matches!(error, FilterError::TooMany { .. }), "{error}");
        let mut failing = self::filter("cat; exit 1", Format::Lines, true);
        let error = failing.ask(b"a\n", 1).await.unwrap_err();
        assert!(matches!(error, FilterError::Failed(_)), "{error}");
        let mut terse = self::filter("head -n 1; cat > /dev/null", Format::Lines, true);
        let error = terse.ask(b"a\nb\n", 2).await.unwrap_err();
        assert!(
            matches!(error, FilterError::Ended { answers: 1, .. }),
            "{error}"
        );
    }

    #[tokio::test]
    async fn what_a_filter_says_after_its_batch_is_never_an_answer_to_the_next() {
        let script = "read -r line; echo first; read -r line; echo more; cat";
        let mut filter = filter(script, Format::Lines, false);
        assert_eq!(texts(filter.ask(b"a\n", 1).await.unwrap()), ["first"]);
        let running = filter.running.as_mut().unwrap();
        running.stdin.write_all(b"go on\n").await.unwrap();
        let is_there = async {
            while !running.has_said_more().await {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(20), is_there).await.unwrap();
        let error = filter.ask(b"b\n", 1).await.unwrap_err();
        assert!(matches!(error, FilterError::Unasked), "{error}");
    }

    #[tokio::test]
    async fn lengths_go_before_values_and_none_is_minus_one() {
        let mut filter = filter("cat", Format::Length, false);
        let told = b"\0\0\0\x02a\n\xff\xff\xff\xff\0\0\0\0";
        let answers = filter.ask(told, 3).await.unwrap();
        assert_eq!(texts(answers), ["a\n", "null", ""]);
        let mut absurd = self::filter("printf '\\177\\377\\377\\377'", Format::Length, false);
        let error = absurd.ask(told, 1).await.unwrap_err();
        assert!(matches!(error, FilterError::TooLong), "{error}");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_said_at_once() {
        let mut filter = filter("", Format::Lines, false);
        filter.settings.command = vec!["/no/such/filter".to_owned()];
        let error = filter.start().unwrap_err().to_string();
        assert!(error.contains("/no/such/filter"), "{error}");
    }
}
