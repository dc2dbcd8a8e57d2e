//! The transcript format (tests/transcripts/README.md) as steps.

use std::time::Duration;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// A file to make in the working directory.
    File {
        name: String,
        text: String,
    },
    /// A command whose outcome does not matter.
    Setup {
        command: String,
        stdin: String,
    },
    Run(Run),
    /// A command that goes on in the background, once it wrote so many lines.
    Background {
        name: String,
        command: String,
        lines: usize,
    },
    /// Its end, with its output where that matters.
    Stop {
        name: String,
        stdout: String,
        status: Option<i32>,
    },
    /// The recorder waited so long for things to settle.
    Settle(Duration),
    /// What a command left in a file.
    Content {
        name: String,
        text: String,
    },
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Run {
    pub(super) command: String,
    pub(super) stdin: String,
    pub(super) reduced: Option<Reduction>,
    pub(super) sigterm_after: Option<Duration>,
    pub(super) stdout: String,
    /// Negative: ended by that signal.
    pub(super) status: Option<i32>,
}

/// How standard output was reduced before it was recorded.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reduction {
    Sorted,
    LinesMatching(String),
}

pub(super) fn parse(transcript: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    // Not `lines`: a carriage return at the end of a line is recorded output.
    for line in transcript.split('\n').filter(|line| !line.is_empty()) {
        let (marker, rest) = line.split_at_checked(2).unwrap_or((line, ""));
        match marker {
            "# " => {}
            "$ " => steps.push(Step::Run(Run {
                command: rest.to_owned(),
                ..Run::default()
            })),
            "% " => steps.push(Step::Setup {
                command: rest.to_owned(),
                stdin: String::new(),
            }),
            "& " => {
                let (name, command) = rest.split_once(": ").expect("a name and a command");
                steps.push(Step::Background {
                    name: name.to_owned(),
                    command: command.to_owned(),
                    lines: 0,
                });
            }
            "! " => {
                let name = rest.split(' ').nth(1).expect("a name").to_owned();
                steps.push(Step::Stop {
                    name,
                    stdout: String::new(),
                    status: None,
                });
            }
            "@ " => directive(&mut steps, rest),
            "0|" | "1|" | "2|" | "f|" => text(&mut steps, marker, &format!("{}\n", content(rest))),
            "0\\" | "1\\" | "2\\" | "f\\" => text(&mut steps, marker, content(rest)),
            "= " => {
                let number = rest.parse().expect("an exit status");
                match steps.last_mut() {
                    Some(Step::Run(run)) => run.status = Some(number),
                    Some(Step::Stop { status, .. }) => *status = Some(number),
                    other => panic!("a status after {other:?}"),
                }
            }
            _ => panic!("an unknown line: {line}"),
        }
    }
    for step in &mut steps {
        if let Step::Run(run) = step {
            run.stdout = without_trace(&run.stdout);
        }
    }
    steps
}

/// Of a stack trace on standard output the exception's own line counts, which stands before its frames.
fn without_trace(stdout: &str) -> String {
    // What a cause says may go on for several lines, up to its frames, where it has any.
    let mut is_cause = false;
    let mut is_trace = |line: &&str| {
        let is_frames = line.starts_with("\tat <STACK>");
        is_cause = !is_frames && *line != "\n" && (is_cause || line.starts_with("Caused by: "));
        is_frames || is_cause
    };
    let lines = stdout.split_inclusive('\n');
    lines.filter(|line| !is_trace(line)).collect()
}

fn content(rest: &str) -> &str {
    rest.strip_prefix(' ').unwrap_or(rest)
}

fn directive(steps: &mut Vec<Step>, words: &str) {
    let seconds = |text: &str| Duration::from_secs_f64(text.parse().expect("a number of seconds"));
    if let Some(name) = words.strip_prefix("file ") {
        steps.push(Step::File {
            name: name.to_owned(),
            text: String::new(),
        });
    } else if let Some(name) = words.strip_prefix("content of ") {
        steps.push(Step::Content {
            name: name.to_owned(),
            text: String::new(),
        });
    } else if let Some(time) = words.strip_prefix("sleep ") {
        steps.push(Step::Settle(seconds(time)));
    } else if let Some(rest) = words.strip_prefix("wait for ") {
        let count = rest
            .split(' ')
            .next()
            .and_then(|count| count.parse().ok())
            .expect("a number of lines");
        match steps.last_mut() {
            Some(Step::Background { lines, .. }) => *lines = count,
            other => panic!("waiting for {other:?}"),
        }
    } else {
        let Some(Step::Run(run)) = steps.last_mut() else {
            panic!("no command before @ {words}")
        };
        if let Some(time) = words.strip_prefix("sigterm after ") {
            run.sigterm_after = Some(seconds(time.trim_end_matches(" s")));
        } else if words == "stdout sorted" {
            run.reduced = Some(Reduction::Sorted);
        } else {
            let pattern = words
                .strip_prefix("stdout lines matching /")
                .expect("a known directive");
            let pattern = pattern
                .strip_suffix('/')
                .expect("the end of the pattern")
                .to_owned();
            run.reduced = Some(Reduction::LinesMatching(pattern));
        }
    }
}

fn text(steps: &mut [Step], marker: &str, line: &str) {
    let target = match (steps.last_mut(), marker.as_bytes().first()) {
        // Standard error is for people; ours says it in other words.
        (_, Some(b'2')) => return,
        (Some(Step::File { text, .. } | Step::Content { text, .. }), Some(b'f')) => text,
        (Some(Step::Setup { stdin, .. }), Some(b'0')) => stdin,
        (Some(Step::Run(run)), Some(b'0')) => &mut run.stdin,
        (Some(Step::Run(run)), Some(b'1')) => &mut run.stdout,
        (Some(Step::Stop { stdout, .. }), Some(b'1')) => stdout,
        (other, _) => panic!("a line {marker} after {other:?}"),
    };
    target.push_str(line);
}

#[test]
fn a_transcript_is_read_as_it_was_written() {
    let steps = parse(
        "# suite/case\n@ file a.txt\nf| one\n% kafka-topics --create\n0| in\\\\\n$ kafka-x 'a b'\n0| \n0\\ last\r\n\
         @ stdout sorted\n1| out\n2| err\n= 1\n",
    );
    let run = Run {
        command: "kafka-x 'a b'".to_owned(),
        stdin: "\nlast\r".to_owned(),
        reduced: Some(Reduction::Sorted),
        sigterm_after: None,
        stdout: "out\n".to_owned(),
        status: Some(1),
    };
    let file = Step::File {
        name: "a.txt".to_owned(),
        text: "one\n".to_owned(),
    };
    let setup = Step::Setup {
        command: "kafka-topics --create".to_owned(),
        stdin: "in\\\\\n".to_owned(),
    };
    assert_eq!(steps, [file, setup, Step::Run(run)]);
}
