//! The way to one address: from its name to an answer about the cluster.
//!
//! Always: what one hop finds is told before the next one is tried, and none takes longer than its time.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ottla_client::conn::{
    ConnSettings, Connection, Endpoint, EndpointFault, Fault, RequestError, known_versions,
};
use ottla_protocol::apis::ApiKey;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::{MetadataRequest, MetadataResponse};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::durations;

use super::report::{Diagnosis, Finding, Hop, Verdict};

/// Without these nothing is read or written.
const NEEDED: [&str; 5] = [
    "Metadata",
    "Produce",
    "Fetch",
    "ListOffsets",
    "FindCoordinator",
];

/// Some tools ask these.
const WANTED: [&str; 6] = [
    "CreateTopics",
    "DeleteTopics",
    "DescribeConfigs",
    "IncrementalAlterConfigs",
    "DescribeCluster",
    "OffsetDelete",
];

/// Walks to one address; what its broker says about the cluster, where it comes that far.
pub(super) async fn walk(
    endpoint: &Endpoint,
    settings: &ConnSettings,
    within: Duration,
    report: &mut Diagnosis,
) -> Option<MetadataResponse> {
    let addresses = step(report, resolve(endpoint, within).await)?;
    step(report, connect(endpoint, &addresses, within).await)?;
    let connection = step(report, speak(endpoint, settings).await)?;
    step(report, compare(endpoint, &connection))?;
    let begun = Instant::now();
    let metadata = ask(&connection, within).await;
    let took = begun.elapsed();
    match metadata {
        Ok(metadata) => {
            report.add(Finding::ok(
                Hop::Authentication,
                endpoint,
                "none is asked for",
            ));
            let cluster = metadata.cluster_id.as_deref().unwrap_or("without an id");
            let brokers = metadata.brokers.len();
            let found = format!("cluster {cluster}, brokers: {brokers}");
            report.add(Finding::ok(Hop::Metadata, endpoint, found).took(took));
            Some(metadata)
        }
        Err(unanswered) => {
            let hop = match unanswered {
                Unanswered::HungUp => Hop::Authentication,
                _ => Hop::Metadata,
            };
            let (found, advice) = unanswered.told();
            let finding = Finding::failed(hop, endpoint, found).advice(advice);
            report.add(finding.took(took));
            None
        }
    }
}

/// Why nothing is known of a cluster.
pub(super) enum Unanswered {
    HungUp,
    /// Nothing came in this time.
    Silent(Duration),
    Refused(ErrorCode),
    Other(String),
}

impl Unanswered {
    /// What was found, and what to do about it.
    pub(super) fn told(self) -> (String, &'static str) {
        match self {
            Self::HungUp => (
                "the broker hung up at the first request that needs to be allowed".to_owned(),
                "this listener probably wants SASL, which this client does not speak yet; use a PLAINTEXT listener",
            ),
            Self::Silent(within) => (
                format!(
                    "the broker shook hands and did not answer Metadata within {}",
                    durations::shown(within)
                ),
                "it may be starting, overloaded or stuck: look at its log, give it more time with --timeout, or begin with another broker",
            ),
            Self::Refused(code) => (
                format!("the broker answers {code}"),
                "look at its log: it cannot or may not say what its cluster is",
            ),
            Self::Other(reason) => (
                reason,
                "look at the broker's log, and at proxies on the way",
            ),
        }
    }
}

type Step<T> = (Finding, Option<T>);

fn step<T>(report: &mut Diagnosis, (finding, outcome): Step<T>) -> Option<T> {
    report.add(finding);
    outcome
}

pub(super) async fn resolve(endpoint: &Endpoint, within: Duration) -> Step<Vec<SocketAddr>> {
    let begun = Instant::now();
    let looking = lookup_host((endpoint.host.as_str(), endpoint.port));
    let fault = match timeout(within, looking).await {
        Ok(Ok(found)) => {
            let found: Vec<SocketAddr> = found.collect();
            if !found.is_empty() {
                let listed: Vec<String> = found.iter().map(|at| at.ip().to_string()).collect();
                let finding = Finding::ok(Hop::Name, endpoint, listed.join(", "));
                return (finding.took(begun.elapsed()), Some(found));
            }
            "the name has no addresses".to_owned()
        }
        Ok(Err(error)) => format!("the name is not known ({error})"),
        Err(_) => "the name server does not answer".to_owned(),
    };
    let finding = Finding::failed(Hop::Name, endpoint, fault).advice(format!(
        "correct the name {}, or the DNS entry or /etc/hosts",
        endpoint.host
    ));
    (finding.took(begun.elapsed()), None)
}

pub(super) async fn connect(
    endpoint: &Endpoint,
    addresses: &[SocketAddr],
    within: Duration,
) -> Step<()> {
    let begun = Instant::now();
    let each = within / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut refused = Vec::new();
    for address in addresses {
        match timeout(each, TcpStream::connect(address)).await {
            Ok(Ok(_)) => {
                let others = match refused.is_empty() {
                    true => String::new(),
                    false => format!("; not {}", refused.join(", ")),
                };
                let found = format!("{address} takes connections{others}");
                let finding = Finding::ok(Hop::Tcp, endpoint, found);
                return (finding.took(begun.elapsed()), Some(()));
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                refused.push(format!("{address} (refused)"));
            }
            Ok(Err(error)) => refused.push(format!("{address} ({error})")),
            Err(_) => refused.push(format!("{address} (no answer)")),
        }
    }
    let listed = refused.join(", ");
    let advice = match listed.contains("(refused)") {
        true => "nothing listens there: start the broker, or correct the port",
        false => "check the address, and firewalls, VPN and routes on the way",
    };
    let finding = Finding::failed(Hop::Tcp, endpoint, format!("no connection to {listed}"));
    (finding.advice(advice).took(begun.elapsed()), None)
}

async fn speak(endpoint: &Endpoint, settings: &ConnSettings) -> Step<Connection> {
    let begun = Instant::now();
    match Connection::open(endpoint, settings).await {
        Ok(connection) => {
            let finding = Finding::ok(Hop::Protocol, endpoint, "Kafka's, in plain text");
            (finding.took(begun.elapsed()), Some(connection))
        }
        Err(error) => {
            let finding = match &error.fault {
                EndpointFault::Dialect(detail) => {
                    Finding::failed(Hop::ApiVersions, endpoint, detail)
                        .advice("this is no broker that this client knows: Kafka 1.0 and later, and what speaks its protocol")
                }
                EndpointFault::Tls => Finding::failed(Hop::Protocol, endpoint, "it speaks TLS")
                    .advice(
                        "this client does not speak TLS yet: use the broker's PLAINTEXT listener",
                    ),
                EndpointFault::Io(detail) => Finding::failed(Hop::Protocol, endpoint, detail)
                    .advice("the connection broke: look at the broker's log, and at proxies and firewalls on the way"),
                _ => Finding::of_sentence(Hop::Protocol, endpoint, &error.to_string()),
            };
            (finding.took(begun.elapsed()), None)
        }
    }
}

/// What both sides speak.
fn compare(endpoint: &Endpoint, connection: &Connection) -> Step<()> {
    let versions = connection.versions();
    let is_missing = |name: &&str| {
        let api = ApiKey::ALL.iter().find(|api| api.name() == *name);
        let ours = api.and_then(|api| Some((api.key(), api.versions()?)));
        ours.is_none_or(|(key, (min, max))| versions.pick(key, &(min..=max)).is_none())
    };
    let needed: Vec<&str> = NEEDED.into_iter().filter(is_missing).collect();
    let wanted: Vec<&str> = WANTED.into_iter().filter(is_missing).collect();
    let count = versions.iter().count();
    let finding = |verdict, found: String| Finding::new(Hop::ApiVersions, endpoint, verdict, found);
    if !needed.is_empty() {
        let found = format!("no version in common of {}", needed.join(", "));
        let advice = "the broker is too old (before Kafka 1.0), or this port serves controllers: use another broker, or a listener for clients";
        return (finding(Verdict::Failed, found).advice(advice), None);
    }
    if !wanted.is_empty() {
        let found = format!(
            "{count} APIs, but no version in common of {}",
            wanted.join(", ")
        );
        let advice = "tools that ask these will refuse to work with this broker";
        return (finding(Verdict::Warning, found).advice(advice), Some(()));
    }
    (
        finding(Verdict::Ok, format!("{count} APIs, all that tools ask")),
        Some(()),
    )
}

/// Asks for the cluster, and for no topic.
pub(super) async fn ask(
    connection: &Connection,
    within: Duration,
) -> Result<MetadataResponse, Unanswered> {
    let request = MetadataRequest {
        topics: Some(Vec::new()),
        ..Default::default()
    };
    // Version 1 is the first that can ask for no topic at all.
    let versions = 1..=*known_versions::<MetadataRequest>().end();
    match connection.send(&request, versions, within).await {
        Ok(response) => match ErrorCode::from_code(response.error_code) {
            ErrorCode::None => Ok(response),
            code => Err(Unanswered::Refused(code)),
        },
        Err(_) if connection.fault() == Some(Fault::Closed) => Err(Unanswered::HungUp),
        Err(RequestError::TimedOut { after, .. }) => Err(Unanswered::Silent(after)),
        Err(error) => Err(Unanswered::Other(error.to_string())),
    }
}
