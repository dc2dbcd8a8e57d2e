//! What the exit status of each tool means, for its help and its manual page.
//!
//! Always: of the drop-in tools it is the reference's, also where that is odd. A line differs from the usual ones only here.

use clap::Command;
use ottla_cli::Tool;

type Meaning = (&'static str, &'static str);

const USUAL: &[Meaning] = &[
    ("0", "done"),
    (
        "1",
        "something failed, or the options are wrong; also after --help, as in the reference",
    ),
];

/// Of what the reference does not have.
const OWN: &[Meaning] = &[
    ("0", "done"),
    ("1", "something failed"),
    ("2", "the options are wrong"),
];

const SIGNAL: Meaning = ("128+N", "signal N ended it, in good order");

fn meanings(tool: &Tool) -> Vec<Meaning> {
    let ended_by_signal = |meanings: &[Meaning]| [meanings, &[SIGNAL]].concat();
    match tool.name {
        "consumer-groups" => vec![
            ("0", "done; as in the reference also where something failed"),
            (
                "1",
                "the options are wrong; or something failed, and an option stands there that the reference does not have",
            ),
            ("3", "--wait-lag: the time was up"),
            ("128+N", "--wait-lag: signal N ended it"),
        ],
        "delete-records" => vec![
            (
                "0",
                "done; as in the reference also where a partition was refused",
            ),
            (
                "1",
                "something failed, or the options are wrong; with --output also where a partition was refused",
            ),
        ],
        "get-offsets" => vec![
            (
                "0",
                "done; as in the reference also where a partition was left out, with a warning",
            ),
            (
                "1",
                "something failed, or the options are wrong; with --output also where a partition has an error",
            ),
        ],
        "topics apply" => vec![
            ("0", "the cluster is as the files say"),
            (
                "1",
                "something is wrong with a file, failed, was refused, or loses data without leave",
            ),
            ("2", "the options are wrong"),
            ("3", "--plan: there is something to do"),
        ],
        "topics export" => OWN.to_vec(),
        "context" => vec![
            ("0", "done"),
            (
                "1",
                "there is no such context, or a file of contexts is wrong",
            ),
            ("2", "the options are wrong"),
        ],
        "doctor" => vec![
            ("0", "everything is well, or only warned of"),
            ("1", "a hop fails"),
            ("2", "the options are wrong"),
        ],
        "install-links" => OWN.to_vec(),
        "log" => vec![
            ("0", "all is sound, or mended"),
            ("1", "there is damage"),
            (
                "2",
                "nothing could be looked at: wrong options, no log directory, or a broker holds it",
            ),
        ],
        "run" => vec![
            (
                "N",
                "the command's own, or 128 and the number of the signal that ended it",
            ),
            (
                "125 to 127",
                "the broker could not be started, or the command could not",
            ),
        ],
        "server" => vec![
            ("0", "it was asked to end, and did in good order"),
            ("1", "it cannot start, or cannot go on"),
        ],
        "console-producer" => vec![
            (
                "0",
                "done; as in the reference also where records were not delivered, which standard error says",
            ),
            (
                "1",
                "input cannot be read or taken apart, or the options are wrong; also after --help, as in the reference; with --sync, \
                 --transactional-id or --output also where a record was not delivered",
            ),
            SIGNAL,
        ],
        "console-consumer"
        | "consumer-perf-test"
        | "e2e-latency"
        | "producer-perf-test"
        | "verifiable-producer"
        | "verifiable-consumer" => ended_by_signal(USUAL),
        "pipe" | "top" => ended_by_signal(OWN),
        _ => USUAL.to_vec(),
    }
}

/// The tool's definition with this below its examples.
pub(crate) fn documented(tool: &Tool) -> Command {
    let command = tool.described();
    let examples = command.get_after_help().map(|text| format!("{text}\n\n"));
    let meanings = meanings(tool);
    let width = meanings.iter().map(|(status, _)| status.len()).max();
    let lines = meanings
        .iter()
        .map(|(status, what)| format!("  {status:width$}  {what}", width = width.unwrap_or(0)));
    let lines: Vec<String> = lines.collect();
    let text = format!(
        "{}Exit status:\n{}",
        examples.unwrap_or_default(),
        lines.join("\n")
    );
    command.after_help(text)
}
