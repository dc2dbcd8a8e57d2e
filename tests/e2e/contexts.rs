//! Clusters by name: chosen by option, environment or file, and protected where the file says so.

use std::process::Output;

use tempfile::TempDir;

use crate::server::{Server, ottla};
use crate::terminal;

/// A folder with contexts, as somebody has it who works on something.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn with(contexts: &str) -> Self {
        let desk = Self {
            folder: TempDir::new().expect("a directory"),
        };
        desk.write(".ottla.yaml", contexts);
        desk
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    /// Runs a tool below the folder.
    fn run(&self, line: &str, environment: &[(&str, &str)]) -> Output {
        let below = self.folder.path().join("some/where");
        std::fs::create_dir_all(&below).expect("a folder");
        ottla()
            .args(line.split(' '))
            .current_dir(below)
            .env("XDG_CONFIG_HOME", self.folder.path().join("user"))
            .envs(environment.iter().copied())
            .stdin(std::process::Stdio::null())
            .output()
            .expect("the binary")
    }

    fn said(&self, line: &str) -> String {
        let output = self.run(line, &[]);
        let error = text(&output.stderr);
        assert!(output.status.success(), "{line}: {error}");
        text(&output.stdout)
    }

    fn refused(&self, line: &str) -> String {
        let output = self.run(line, &[]);
        assert_eq!(output.status.code(), Some(1), "{line}");
        text(&output.stderr)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn a_context_stands_for_the_servers_and_the_properties() {
    let server = Server::start();
    server.tool("topics --create --topic here");
    let address = server.address();
    let desk = Desk::with(
        "current: nowhere\ncontexts:\n  nowhere: {bootstrap-servers: 127.0.0.1:1}\n  \
         live: {command-config: live.properties, properties: {client.id: me}}\n",
    );
    // As Java writes such a file: any separator, lines that go on, escapes.
    let host = address.replace(':', "\\:");
    desk.write(
        "live.properties",
        &format!("! mine\nbootstrap.servers : \\\n   {host}\nretries 3\n"),
    );

    assert_eq!(desk.said("topics --list --context live"), "here\n");
    assert!(
        desk.said("cluster cluster-id --context=live")
            .contains("Cluster ID")
    );
    let by_environment = desk.run("topics --list", &[("OTTLA_CONTEXT", "live")]);
    assert_eq!(text(&by_environment.stdout), "here\n");
    assert!(desk.refused("topics --list").contains("127.0.0.1:1"));
    // Who names servers gets those.
    let named = desk.run(
        &format!("topics --list --bootstrap-server {address}"),
        &[("OTTLA_CONTEXT", "nowhere")],
    );
    assert_eq!(text(&named.stdout), "here\n");
    let both = format!("topics --list --context live --bootstrap-server {address}");
    assert!(desk.refused(&both).contains("[context]"));
    assert!(
        desk.refused("topics --list --context none")
            .contains("There are: live, nowhere.")
    );
}

#[test]
fn without_a_context_tools_say_what_the_reference_says() {
    let desk = Desk::with("contexts: {a: {bootstrap-servers: 'h:1'}}\n");
    let said = desk.refused("topics --list");
    assert!(
        said.starts_with("--bootstrap-server must be specified"),
        "{said}"
    );
}

#[test]
fn a_protected_context_is_read_freely_and_changed_by_who_means_it() {
    let server = Server::start();
    let desk = Desk::with(&format!(
        "current: p\ncontexts: {{p: {{bootstrap-servers: '{}', protected: true}}}}\n",
        server.address()
    ));
    assert_eq!(desk.said("topics --list"), "\n");
    let said = desk.refused("topics --create --topic t");
    assert!(
        said.contains("'p' is protected") && said.contains("topics --create"),
        "{said}"
    );
    assert_eq!(desk.said("topics --list"), "\n");
    desk.said("topics --create --topic t --yes");
    assert_eq!(desk.said("topics --list"), "t\n");
    desk.write("some/where/topics.yaml", "topics: {t: {}, u: {}}\n");
    let plan = desk.run("topics apply -f topics.yaml --plan", &[]);
    assert_eq!(plan.status.code(), Some(3), "to look at a plan is free");
    let said = desk.refused("topics apply -f topics.yaml");
    assert!(said.contains("'p' is protected"), "{said}");
    assert_eq!(desk.said("topics --list"), "t\n");
    desk.said("topics apply -f topics.yaml --yes");
    assert_eq!(desk.said("topics --list"), "t\nu\n");
}

#[test]
fn on_a_terminal_a_protected_context_asks_and_only_a_yes_is_one() {
    let server = Server::start();
    server.tool("topics --create --topic t");
    let desk = Desk::with(&format!(
        "current: p\ncontexts: {{p: {{bootstrap-servers: '{}', protected: true}}}}\n",
        server.address()
    ));
    for (answer, status, left) in [("n\n", 1, "t\n"), ("\u{4}", 1, "t\n"), ("y\n", 0, "\n")] {
        let mut command = ottla();
        command
            .args(["topics", "--delete", "--exact", "--topic", "t"])
            .current_dir(desk.folder.path())
            .env("XDG_CONFIG_HOME", desk.folder.path().join("user"));
        let (shown, ended) = terminal::answering(&mut command, answer);
        assert!(
            shown.contains("The context 'p' is protected. Go on with topics --delete?"),
            "{shown}"
        );
        assert_eq!(ended, Some(status), "{answer:?}");
        assert_eq!(server.tool("topics --list"), left, "{answer:?}");
    }
}

#[test]
fn a_context_is_made_current_in_one_line_of_the_users_file() {
    let desk =
        Desk::with("contexts: {a: {bootstrap-servers: 'h:1'}, b: {bootstrap-servers: 'i:2'}}\n");
    desk.write(
        "user/ottla/config.yaml",
        "# mine\ncontexts: {c: {bootstrap-servers: 'j:3'}}\n",
    );
    desk.said("context use c");
    let file = desk.folder.path().join("user/ottla/config.yaml");
    let written = std::fs::read_to_string(file).expect("the file");
    assert_eq!(
        written,
        "current: c\n# mine\ncontexts: {c: {bootstrap-servers: 'j:3'}}\n"
    );
    let listed: serde_json::Value =
        serde_json::from_str(&desk.said("context list --output json")).expect("JSON");
    assert_eq!(listed["current"], "c");
    assert_eq!(listed["contexts"][1]["bootstrapServers"], "i:2");
    assert!(desk.said("context list").contains("i:2"));
    assert!(
        desk.said("context show b")
            .contains("bootstrapServers: i:2")
    );
    assert_eq!(desk.run("context", &[]).status.code(), Some(2));
    assert_eq!(desk.run("context use d", &[]).status.code(), Some(1));
}

#[test]
fn a_pattern_is_told_before_what_it_means_is_deleted_and_an_exact_name_is_none() {
    let server = Server::start();
    for topic in ["a.b", "a-b", "a-c"] {
        server.tool(&format!("topics --create --topic {topic}"));
    }
    let deleted = server.try_tool("topics --delete --exact --topic a.b", "");
    assert_eq!(
        (text(&deleted.stdout), text(&deleted.stderr)),
        (String::new(), String::new())
    );
    assert_eq!(server.tool("topics --list"), "a-b\na-c\n");
    let deleted = server.try_tool("topics --delete --topic a.[bc]", "");
    assert!(deleted.status.success() && deleted.stdout.is_empty());
    assert!(text(&deleted.stderr).contains("means 2 topics: a-b, a-c."));
    assert_eq!(server.tool("topics --list"), "\n");
}

/// `use --here` made a file that hid the one above it, and with that the context which it had just chosen.
#[test]
fn a_file_that_would_hide_the_one_naming_the_context_is_not_made() {
    let desk = Desk::with("contexts:\n  live: {bootstrap-servers: 127.0.0.1:1}\n");
    let refused = desk.refused("context use live --here");
    assert!(refused.contains("would hide"), "{refused}");
    assert!(!desk.folder.path().join("some/where/.ottla.yaml").exists());

    desk.write(
        "some/where/.ottla.yaml",
        "contexts:\n  near: {bootstrap-servers: 127.0.0.1:2}\n",
    );
    desk.said("context use near --here");
    assert!(desk.said("context show").contains("127.0.0.1:2"));
}
