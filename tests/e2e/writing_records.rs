//! Where the console producer's records come from and what they have, by its own options.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::server::Server;

const SHOWN: &str = "--until-end --format %p|%k|%K|%v|%V|%h\\n";

fn produce(server: &Server, options: &str, input: &str) {
    let line = format!("console-producer --topic t --timeout 5 {options}");
    assert_eq!(server.tool_with_input(&line, input), "");
}

fn read(server: &Server) -> String {
    server.tool(&format!("console-consumer --topic t {SHOWN}"))
}

fn server_with_topic(partitions: u32) -> Server {
    let server = Server::start();
    server.tool(&format!(
        "topics --create --topic t --partitions {partitions}"
    ));
    server
}

fn refused(server: &Server, options: &str) -> String {
    let line = format!("console-producer --topic t {options}");
    let output = server.try_tool(&line, "never\n");
    assert_eq!(output.status.code(), Some(1), "{options}");
    String::from_utf8(output.stderr).expect("text")
}

fn file(folder: &TempDir, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).expect("a file");
    path.display().to_string()
}

#[test]
fn every_record_has_the_key_the_headers_and_the_partition_that_were_asked_for() {
    let server = server_with_topic(3);
    produce(
        &server,
        "--partition 2 --key k --header a=1 --header b",
        "x\ny\n",
    );
    assert_eq!(read(&server), "2|k|1|x|1|a=1,b=\n2|k|1|y|1|a=1,b=\n");
}

#[test]
fn headers_stand_behind_those_of_the_line() {
    let server = server_with_topic(1);
    let of_lines = "--reader-property parse.headers=true --header last=3";
    produce(&server, of_lines, "first:1,second:2\tv\n");
    assert_eq!(read(&server), "0||-1|v|1|first=1,second=2,last=3\n");
}

#[test]
fn an_empty_line_is_a_tombstone_where_it_is_said_so() {
    let server = server_with_topic(1);
    produce(&server, "--key k", "\n");
    produce(&server, "--key k --empty-as-null", "\nv\n");
    let keyed = "--reader-property parse.key=true --empty-as-null";
    produce(&server, keyed, "\tw\n");
    let expected = "0|k|1||0|\n0|k|1||-1|\n0|k|1|v|1|\n0||-1|w|1|\n";
    assert_eq!(read(&server), expected);
}

#[test]
fn files_are_read_in_their_order_by_lines_or_whole() {
    let server = server_with_topic(1);
    let folder = TempDir::new().expect("a directory");
    let one = file(&folder, "one", "a\nb");
    let two = file(&folder, "two", "");
    let three = file(&folder, "three", "c\r\nd\n");
    let files = format!("--from-file {one} --from-file {two} --from-file {three}");
    produce(&server, &files, "standard input is not read\n");
    let values = |options: &str| {
        let line = format!("console-consumer --topic t --until-end {options}");
        server.tool(&line)
    };
    assert_eq!(values(""), "a\nb\nc\nd\n");
    produce(&server, &format!("{files} --whole"), "");
    assert_eq!(
        values("--from 4 --format %v{json};"),
        r#""a\nb";"";"c\r\nd\n";"#
    );
    produce(&server, "--whole", "e\nf\n");
    assert_eq!(values("--from 7 --format %v{json}"), r#""e\nf\n""#);
}

#[test]
fn bytes_that_are_no_text_arrive_as_they_are() {
    let server = server_with_topic(1);
    let folder = TempDir::new().expect("a directory");
    let bytes = file(&folder, "bytes", [0, 0xff, b'\n', 0xfe]);
    produce(&server, &format!("--whole --from-file {bytes}"), "");
    let shown = server.tool("console-consumer --topic t --until-end --format %v{hex}");
    assert_eq!(shown, "00ff0afe");
}

#[test]
fn what_cannot_be_is_said_before_anything_is_sent() {
    let server = server_with_topic(1);
    let folder = TempDir::new().expect("a directory");
    let present = file(&folder, "present", "a\n");
    let absent = Path::new(&present).with_file_name("absent");
    let files = format!("--from-file {present} --from-file {}", absent.display());
    assert!(refused(&server, &files).starts_with("Cannot read "));
    let keys = "--key k --reader-property parse.key=true";
    assert!(refused(&server, keys).contains("parse.key=true"));
    assert!(refused(&server, "--partition -1").contains("from 0 on"));
    assert!(refused(&server, "--partition x").contains("Cannot parse argument 'x'"));
    assert_eq!(read(&server), "");
}

#[test]
fn files_go_in_transactions_too() {
    let server = server_with_topic(1);
    let folder = TempDir::new().expect("a directory");
    let lines = file(&folder, "lines", "a\nb\nc\n");
    let each = format!("--transactional-id x --commit-every 2 --key k --from-file {lines}");
    produce(&server, &each, "");
    let committed = "console-consumer --topic t --until-end --isolation-level read_committed";
    let shown = server.tool(&format!("{committed} --format %k%v;"));
    assert_eq!(shown, "ka;kb;kc;");
}
