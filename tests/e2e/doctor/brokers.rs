//! What a cluster says of itself, and what its brokers run out of.

use ottla_protocol::messages::api::metadata::response::MetadataResponseBroker;
use ottla_protocol::messages::{DescribeLogDirsRequest, MetadataRequest, MetadataResponse};
use tempfile::TempDir;

use super::{examined, failing, findings, warned_of};
use crate::bad_endpoints::handshakes_only;
use crate::front::{Front, Fronted};
use crate::server::Server;
use crate::tools::answering;

fn telling(change: impl Fn(&mut MetadataResponse) + Send + Sync + 'static) -> Fronted {
    Front::default()
        .changing::<MetadataRequest>(change)
        .start(&[])
}

#[test]
fn a_broker_that_is_silent_or_may_not_say_what_its_cluster_is_fails_at_the_metadata() {
    let (hop, finding) = failing(&handshakes_only());
    assert!(
        hop == "metadata" && finding.contains("did not answer Metadata"),
        "{finding}"
    );
    assert!(finding.contains("--timeout"), "{finding}");

    const CLUSTER_AUTHORIZATION_FAILED: i16 = 31;
    let refusing = telling(|metadata| metadata.error_code = CLUSTER_AUTHORIZATION_FAILED);
    let (hop, finding) = failing(refusing.address());
    let named = finding.contains("CLUSTER_AUTHORIZATION_FAILED");
    assert!(hop == "metadata" && named, "{finding}");
}

#[test]
fn a_cluster_without_a_controller_that_can_be_reached_fails_there() {
    for (id, reason) in [(-1, "there is none right now"), (9, "node 9 leads to it")] {
        let leaderless = telling(move |metadata| metadata.controller_id = id);
        let (hop, finding) = failing(leaderless.address());
        assert!(hop == "controller" && finding.contains(reason), "{finding}");
    }
}

/// What is said of a second broker that is told of at this address, which is all that fails.
fn advertised(host: &str, port: i32) -> String {
    let host = host.to_owned();
    let fronted = telling(move |metadata| {
        metadata.brokers.push(MetadataResponseBroker {
            node_id: 2,
            host: host.as_str().into(),
            port,
            ..Default::default()
        });
    });
    let (hop, finding) = failing(fronted.address());
    assert!(
        hop == "advertised" && finding.contains("\"at\":\"broker 2\""),
        "{finding}"
    );
    finding
}

#[test]
fn every_way_in_which_an_advertised_address_is_wrong_is_told_from_the_others() {
    let other = Server::start();
    let setting = "set advertised.listeners of broker 2";
    for (address, reason, advice) in [
        ("127.0.0.1:0".to_owned(), "is no address", setting),
        ("127.0.0.1:-1".to_owned(), "is no address", setting),
        (
            "0.0.0.0:9092".to_owned(),
            "no address to connect to",
            setting,
        ),
        (
            other.address().to_owned(),
            "leads to another cluster",
            setting,
        ),
        (
            answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            "HTTP",
            setting,
        ),
        (answering(&[0x15, 3, 3, 0, 2, 2, 70]), "TLS", setting),
        // It may be the right place.
        (
            handshakes_only(),
            "did not answer Metadata",
            "look at its log",
        ),
    ] {
        let (host, port) = address.rsplit_once(':').expect("an address");
        let finding = advertised(host, port.parse().expect("a number"));
        assert!(
            finding.contains(reason) && finding.contains(advice),
            "{address}: {finding}"
        );
    }
}

#[test]
fn a_broker_that_sends_other_machines_to_themselves_is_told() {
    // An address of this machine that does not look like one, as that of another machine does not.
    let server = Server::with(
        &[
            "--override",
            "advertised.listeners=PLAINTEXT://localhost:9092",
        ],
        &[],
    );
    let (_, port) = server.address().rsplit_once(':').expect("an address");
    let (hop, finding) = failing(&format!("127.1:{port}"));
    assert_eq!(hop, "advertised", "{finding}");
    assert!(
        finding.contains("clients on other machines talk to themselves"),
        "{finding}"
    );
}

#[test]
fn a_listener_for_controllers_is_told_from_one_for_clients() {
    let server = Server::with(
        &[
            "--override",
            "listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0",
            "--override",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "--override",
            "controller.listener.names=CONTROLLER",
        ],
        &[],
    );
    let (hop, finding) = failing(&server.last_address());
    assert!(
        hop == "api-versions" && finding.contains("a listener for clients"),
        "{finding}"
    );
}

#[test]
fn a_log_directory_that_is_offline_fails_at_the_disk() {
    let folder = TempDir::new().expect("a directory");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let dirs = format!("log.dirs={},{}", path("one"), path("two"));
    let metadata = format!("metadata.log.dir={}", path("one"));
    let mut server = Server::with(&["--override", &dirs, "--override", &metadata], &[]);
    server.terminate();
    server.wait();
    std::fs::remove_dir_all(path("two")).expect("its files");
    std::fs::write(path("two"), "no directory").expect("a file");
    server.restart();
    let (hop, finding) = failing(server.address());
    let named = finding.contains("is offline") && finding.contains(&path("two"));
    assert!(hop == "disk" && named, "{finding}");
}

/// A broker whose disks have so many percent free.
fn with_free(percent: i64) -> Fronted {
    let front = Front::default().changing::<DescribeLogDirsRequest>(move |dirs| {
        for dir in &mut dirs.results {
            dir.total_bytes = 100 << 30;
            dir.usable_bytes = percent << 30;
        }
    });
    front.start(&[])
}

#[test]
fn a_full_disk_fails_and_a_nearly_full_one_is_warned_of() {
    let (hop, finding) = failing(with_free(0).address());
    assert!(hop == "disk" && finding.contains("(0 %)"), "{finding}");
    let (hop, finding) = warned_of(with_free(5).address());
    assert!(
        hop == "disk" && finding.contains("retention.bytes"),
        "{finding}"
    );
}

#[test]
fn a_broker_that_tells_nothing_of_its_disks_is_warned_of() {
    const CLUSTER_AUTHORIZATION_FAILED: i16 = 31;
    let front = Front::default().changing::<DescribeLogDirsRequest>(|dirs| {
        dirs.error_code = CLUSTER_AUTHORIZATION_FAILED;
        dirs.results.clear();
    });
    let (hop, finding) = warned_of(front.start(&[]).address());
    assert!(
        hop == "disk" && finding.contains("may Describe the cluster"),
        "{finding}"
    );
}

#[test]
fn a_broker_with_few_descriptors_is_warned_of() {
    let server = Server::with_descriptors(256);
    let (report, status) = examined(&["--bootstrap-server", server.address()]);
    assert_eq!(status, Some(0), "{report:#}");
    let mut limits = findings(&report).filter(|(hop, _, _)| *hop == "limits");
    let (_, verdict, finding) = limits.next().expect("it was looked at");
    assert!(
        verdict == "warning"
            && finding.contains("of 256 descriptors")
            && finding.contains("ulimit -n"),
        "{finding}"
    );
}
