//! The examples of `ottla help TOOL` do what they show: each is run as it stands against a real broker.

use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::requests::create_topic;
use crate::server::{Server, ottla, signal};
use crate::wait;

/// Examples that go on until somebody ends them.
const ENDLESS: &[&str] = &[
    "ottla server",
    "--watch",
    "verifiable-producer --bootstrap-server localhost:9092 --topic numbers --throughput",
    "--group-protocol consumer --verbose",
];

/// They need programs that need not be here, or more than one node: only their options are looked at.
const ONLY_PARSED: &[&str] = &[
    "pytest",
    "mvn",
    "acls",
    "client-metrics",
    "--bootstrap-controller",
    "add-controller",
    "remove-controller",
    "jq ",
];

fn text_of(words: &[&str]) -> String {
    let mut command = ottla();
    // However narrow the terminal is, an example is one line.
    let output = command.env("COLUMNS", "60").args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What `ottla` alone lists.
pub(crate) fn tools() -> Vec<String> {
    let text = text_of(&[]);
    let lines = text.lines().filter(|line| line.starts_with(' '));
    let names = lines.filter_map(|line| line.split_whitespace().next());
    // What is no tool, and the first steps.
    let others = ["help", "version", "completion", "ottla", "echo"];
    let names = names.filter(|name| !others.contains(name) && !name.starts_with('-'));
    names.map(str::to_owned).collect()
}

fn examples(tool: &str) -> Vec<String> {
    let help = text_of(&["help", tool]);
    let Some((_, examples)) = help.split_once("Examples:\n") else {
        return Vec::new();
    };
    let lines = examples.lines().take_while(|line| line.starts_with("  "));
    let lines = lines.map(|line| line.trim().to_owned());
    let lines: Vec<String> = lines.filter(|line| !line.starts_with('#')).collect();
    assert!(
        help.contains("Exit status:\n  "),
        "ottla help {tool} tells of no exit status"
    );
    lines
}

/// A broker with what the examples speak of, and a folder with their files and the links to the tools.
struct Stage {
    server: Server,
    /// Stopped, for what looks at files.
    stopped: Server,
    folder: TempDir,
}

impl Stage {
    fn set() -> Self {
        let server = Server::start();
        for topic in ["orders", "load", "ping", "numbers", "prices", "results"] {
            create_topic(server.address(), topic, 2);
        }
        let records: String = (0..200).map(|n| format!("{n}\n")).collect();
        for topic in ["orders", "load", "numbers"] {
            server.tool_with_input(&format!("console-producer --topic {topic}"), &records);
        }
        server.tool(
            "console-consumer --topic orders --group readers --from-beginning --max-messages 200",
        );
        let mut stopped = Server::start();
        create_topic(stopped.address(), "orders", 1);
        stopped.tool_with_input("console-producer --topic orders", &records);
        stopped.terminate();
        stopped.wait();
        let folder = TempDir::new().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("server.properties", "node.id=1\nlog.dirs=data\n");
        write("client.properties", "client.id=example\n");
        write("records.txt", "a\nb\n");
        let links = folder.path().join("bin");
        let made = ottla().arg("install-links").arg(&links).output().unwrap();
        assert!(made.status.success());
        std::os::unix::fs::symlink(ottla().get_program(), links.join("ottla")).unwrap();
        Self {
            server,
            stopped,
            folder,
        }
    }

    fn command(&self, line: &str) -> Command {
        let line = line
            .replace("localhost:9092", self.server.address())
            .replace("127.0.0.1:9092", self.server.address())
            // What takes its time there may take less here.
            .replace("--num-records 1000000", "--num-records 100")
            .replace("--num-records 100000", "--num-records 100")
            .replace("--num-records 60000", "--num-records 100")
            .replace("--max-messages 1000", "--max-messages 100")
            .replace("ottla-data", &self.stopped.data().display().to_string());
        let mut command = Command::new("bash");
        command.args(["-c", &format!("set -o pipefail; {line}")]);
        command.current_dir(self.folder.path());
        let path = std::env::var("PATH").unwrap_or_default();
        let links = self.folder.path().join("bin");
        command.env("PATH", format!("{}:{path}", links.display()));
        command.env("XDG_STATE_HOME", self.folder.path());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs it, and tells what was wrong.
    fn run(&self, line: &str) -> Option<String> {
        let mut child = self.command(line).spawn().unwrap();
        if is_endless(line) {
            // The shell becomes the tool where there is only one.
            wait::until("the example to begin", || is_ottla(child.id()));
            signal(&child, Signal::TERM);
            let status = wait::some(line, || child.try_wait().unwrap());
            let is_ended = matches!(status.code(), Some(0 | 143) | None);
            return (!is_ended).then(|| format!("{line}: {status}"));
        }
        let output = child.wait_with_output().unwrap();
        let said = [&output.stdout[..], &output.stderr[..]].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (!output.status.success()).then(|| format!("{line}: {}\n{said}", output.status))
    }
}

fn is_endless(line: &str) -> bool {
    let is_top = line.starts_with("ottla top") && !line.contains("--count");
    is_top || ENDLESS.iter().any(|part| line.contains(part))
}

fn is_ottla(pid: u32) -> bool {
    let exe = std::fs::read_link(Path::new("/proc").join(pid.to_string()).join("exe"));
    exe.is_ok_and(|exe| exe.ends_with("ottla"))
}

#[test]
fn every_tool_has_examples_and_they_do_what_they_show() {
    let stage = Stage::set();
    let mut count = 0;
    let mut wrong = Vec::new();
    let mut tools = tools();
    // `pipe` reads lines, and another example sends its topic a record of several. `storage` formats what a server would have
    // begun to use, if it came so far before it was ended.
    let early = |tool: &String| ["pipe", "storage"].contains(&tool.as_str());
    tools.sort_by_key(|tool| !early(tool));
    for tool in tools {
        let examples = examples(&tool);
        assert!(!examples.is_empty(), "ottla help {tool} has no examples");
        for line in examples {
            assert!(
                line.contains(&format!("ottla {tool}"))
                    || line.contains("kafka-")
                    || line.contains("echo "),
                "{tool}: {line}"
            );
            if !ONLY_PARSED.iter().any(|part| line.contains(part)) {
                wrong.extend(stage.run(&line));
            }
            count += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 40, "only {count} examples");
}
