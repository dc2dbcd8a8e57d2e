//! Where the cluster tells its clients to go: each broker's own address has to lead to it, from here.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use ottla_client::conn::{ConnSettings, Connection, Endpoint};
use ottla_protocol::messages::MetadataResponse;
use tokio::task::JoinSet;

use super::address::{self, Unanswered};
use super::report::{Diagnosis, Finding, Hop, Verdict};

/// So many brokers are visited; more are counted.
const BROKERS_MAX: usize = 100;

/// The controller, and each broker at the address it advertises; the brokers that were reached.
pub(super) async fn visit(
    metadata: &MetadataResponse,
    asked: &Endpoint,
    settings: &ConnSettings,
    within: Duration,
    report: &mut Diagnosis,
) -> Vec<i32> {
    report.add(controller(metadata, asked));
    let mut visits = JoinSet::new();
    for broker in metadata.brokers.iter().take(BROKERS_MAX) {
        let (id, host, port) = (broker.node_id, broker.host.to_string(), broker.port);
        let (asked, settings) = (asked.clone(), settings.clone());
        let cluster = metadata.cluster_id.as_deref().map(str::to_owned);
        visits.spawn(async move {
            let begun = Instant::now();
            let finding = look(id, host, port, &asked, cluster, &settings, within).await;
            (id, finding.took(begun.elapsed()))
        });
    }
    let mut visited = Vec::new();
    while let Some(visit) = visits.join_next().await {
        visited.extend(visit.ok());
    }
    visited.sort_by_key(|(id, _)| *id);
    let mut reached = Vec::new();
    for (id, finding) in visited {
        if finding.verdict != Verdict::Failed {
            reached.push(id);
        }
        report.add(finding);
    }
    let more = metadata.brokers.len().saturating_sub(BROKERS_MAX);
    if more > 0 {
        let found = format!("{more} more brokers were not visited");
        report.add(Finding::new(
            Hop::Advertised,
            asked,
            Verdict::Skipped,
            found,
        ));
    }
    reached
}

fn controller(metadata: &MetadataResponse, asked: &Endpoint) -> Finding {
    let id = metadata.controller_id;
    if metadata.brokers.iter().any(|broker| broker.node_id == id) {
        return Finding::ok(Hop::Controller, asked, format!("broker {id} leads to it"));
    }
    let found = match id {
        ..0 => "there is none right now".to_owned(),
        _ => format!("node {id} leads to it, which is not among the brokers"),
    };
    Finding::failed(Hop::Controller, asked, found)
        .advice("topics cannot be created or changed: look at the quorum (`ottla metadata-quorum describe --status`) and the controllers' logs")
}

async fn look(
    id: i32,
    host: String,
    port: i32,
    asked: &Endpoint,
    cluster: Option<String>,
    settings: &ConnSettings,
    within: Duration,
) -> Finding {
    let at = format!("broker {id}");
    let setting = format!("set advertised.listeners of broker {id} to what clients can reach");
    let Some(endpoint) = u16::try_from(port)
        .ok()
        .filter(|port| *port > 0)
        .map(|port| Endpoint::new(host.clone(), port))
    else {
        return Finding::failed(Hop::Advertised, at, format!("{host}:{port} is no address"))
            .advice(setting);
    };
    if let Some(found) = nowhere(&host, asked) {
        let advice = format!("{setting}, such as PLAINTEXT://{asked}");
        return Finding::failed(Hop::Advertised, at, format!("{endpoint} is {found}"))
            .advice(advice);
    }
    let (named, addresses) = address::resolve(&endpoint, within).await;
    let Some(addresses) = addresses else {
        return unreachable(at, &endpoint, named, setting);
    };
    let (reached, outcome) = address::connect(&endpoint, &addresses, within).await;
    if outcome.is_none() {
        return unreachable(at, &endpoint, reached, setting);
    }
    let connection = match Connection::open(&endpoint, settings).await {
        Ok(connection) => connection,
        Err(error) => {
            return Finding::failed(Hop::Advertised, at, error.to_string()).advice(setting);
        }
    };
    match address::ask(&connection, within).await {
        Ok(answer) if answer.cluster_id.as_deref() != cluster.as_deref() => {
            let other = answer
                .cluster_id
                .as_deref()
                .unwrap_or("without an id")
                .to_owned();
            Finding::failed(
                Hop::Advertised,
                at,
                format!("{endpoint} leads to another cluster ({other})"),
            )
            .advice(setting)
        }
        Ok(_) => Finding::ok(Hop::Advertised, at, format!("{endpoint} leads to it")),
        Err(unanswered) => {
            // It is the right place, or might be, where it only is silent.
            let is_elsewhere = matches!(unanswered, Unanswered::HungUp);
            let (found, advice) = unanswered.told();
            let advice = match is_elsewhere {
                true => setting,
                false => advice.to_owned(),
            };
            Finding::failed(Hop::Advertised, at, format!("{endpoint}: {found}")).advice(advice)
        }
    }
}

fn unreachable(at: String, endpoint: &Endpoint, reason: Finding, setting: String) -> Finding {
    Finding::failed(Hop::Advertised, at, format!("{endpoint}: {}", reason.found)).advice(setting)
}

/// Addresses that mean something else to each who hears them: the most usual mistake of all.
fn nowhere(host: &str, asked: &Endpoint) -> Option<&'static str> {
    let address = |host: &str| host.parse::<IpAddr>().ok();
    let is_loopback =
        |host: &str| host == "localhost" || address(host).is_some_and(|ip| ip.is_loopback());
    if address(host).is_some_and(|ip| ip.is_unspecified()) {
        return Some("no address to connect to");
    }
    (is_loopback(host) && !is_loopback(&asked.host)).then_some(
        "the machine of whoever hears it, and not the broker's: clients on other machines talk to themselves",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_advertises_localhost_to_other_machines_is_nowhere() {
        let asked = |host: &str| Endpoint::new(host, 9092);
        for host in ["localhost", "127.0.0.1", "127.1.2.3", "::1"] {
            assert!(
                nowhere(host, &asked("kafka.example.com")).is_some(),
                "{host}"
            );
            assert_eq!(nowhere(host, &asked("localhost")), None, "{host}");
        }
        assert!(nowhere("0.0.0.0", &asked("localhost")).is_some());
        assert_eq!(nowhere("kafka", &asked("kafka.example.com")), None);
    }

    #[test]
    fn a_controller_that_is_no_broker_is_told() {
        let asked = Endpoint::new("h", 1);
        let metadata = MetadataResponse {
            controller_id: -1,
            ..Default::default()
        };
        assert_eq!(controller(&metadata, &asked).verdict, Verdict::Failed);
    }
}
