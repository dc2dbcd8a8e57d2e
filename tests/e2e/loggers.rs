//! Levels of the broker's loggers, seen and changed by `configs` while it runs.

use crate::server::Server;

const LISTED: &str = "topics --list";

fn configs(server: &Server, words: &str) -> String {
    server.tool(&format!("configs --broker-logger 1 {words}"))
}

/// How many requests of a kind were logged.
fn logged(server: &Server, api: &str) -> usize {
    let log = server.log();
    let lines = log.lines().filter(|line| line.contains(" request "));
    lines.filter(|line| line.contains(api)).count()
}

#[test]
fn what_is_logged_follows_the_level_at_once() {
    let server = Server::start();
    server.tool(LISTED);
    assert_eq!(logged(&server, "Metadata"), 0);
    configs(&server, "--alter --add-config kafka.server.KafkaApis=TRACE");
    assert!(configs(&server, "--describe").contains("\n  kafka.server.KafkaApis=TRACE "));
    server.tool(LISTED);
    let before = logged(&server, "Metadata");
    assert!(before > 0, "{}", server.log());
    configs(&server, "--alter --delete-config kafka.server.KafkaApis");
    let before = logged(&server, "Metadata");
    server.tool(LISTED);
    assert_eq!(logged(&server, "Metadata"), before);
    assert!(configs(&server, "--describe").contains("\n  kafka.server.KafkaApis=INFO "));
}

#[test]
fn levels_of_the_start_are_those_of_the_loggers_and_come_back_with_the_next_one() {
    let level = "warn,ottla_server::net=debug";
    let mut server = Server::with(&["--log-level", level], &[]);
    let described = configs(&server, "--describe");
    assert!(described.contains("\n  kafka.network.SocketServer=DEBUG "));
    assert!(described.contains("\n  root=WARN "));
    configs(
        &server,
        "--alter --add-config root=ERROR,kafka.network.SocketServer=INFO",
    );
    let described = configs(&server, "--describe");
    assert!(described.contains("\n  kafka.network.SocketServer=INFO "));
    assert!(described.contains("\n  org.apache.kafka=ERROR "));
    server.kill();
    server.restart();
    let described = configs(&server, "--describe");
    assert!(described.contains("\n  kafka.network.SocketServer=DEBUG "));
    assert!(described.contains("\n  root=WARN "));
}
