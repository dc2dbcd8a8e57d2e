//! `ottla doctor`: walks from a name to a cluster and back, and says at which hop it fails and what to do.
//!
//! Always: no hop takes longer than its time, nothing is changed unless a round trip is asked for, and what is not looked at is said.
//! Exit status 0 healthy, 1 not, 2 usage. Not here: how clients find clusters; each hop asks the client library for its part.

mod address;
mod advertised;
mod report;
mod resources;
mod round_trip;

use std::io::Write;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use ottla_client::admin::Admin;
use ottla_client::cluster::ClusterSettings;
use ottla_client::config::ClientKind;
use ottla_client::conn::Endpoint;

use crate::argparse;
use crate::connect;
use crate::context::{self, Context};
use crate::options;
use crate::output::{Format, Output};
use crate::stop::{Failure, Stop};
use crate::terminal::painted;
use crate::tool::Tool;
use crate::{consuming, producing};
use report::{Diagnosis, Finding, Hop, Verdict};
use round_trip::Clients;

pub const TOOL: Tool = Tool {
    name: "doctor",
    link: "ottla-doctor",
    about: "Find out at which hop the way to a cluster fails",
    command: Args::command,
    run,
};

/// Find out at which hop the way to a cluster fails: name, TCP, protocol, API versions, authentication, metadata, controller,
/// advertised addresses, disk and limits, and a round trip where it is asked for.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "ottla-doctor",
    after_help = "Examples:\n  \
        ottla doctor --bootstrap-server localhost:9092\n  \
        ottla doctor --bootstrap-server localhost:9092 --round-trip --output json"
)]
struct Args {
    /// The brokers to begin with, as HOST:PORT,HOST:PORT
    #[arg(long, value_name = "SERVERS", default_value = "localhost:9092")]
    bootstrap_server: String,
    /// A file of client properties to connect with
    #[arg(long, value_name = "FILE")]
    command_config: Option<String>,
    /// Also write a record and read it again, through a topic that is made for it and deleted afterwards
    #[arg(long)]
    round_trip: bool,
    /// The topic of the round trip, which must not exist [ottla-doctor-NUMBER]
    #[arg(long, value_name = "TOPIC", requires = "round_trip")]
    topic: Option<String>,
    #[command(flatten)]
    output: Output,
}

/// What each hop may take where the user does not say.
const WITHIN: Duration = Duration::from_millis(1500);

/// The one protocol that the client speaks.
const PLAINTEXT: &str = "PLAINTEXT";

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let Some(args) = argparse::start_own::<Args>(words, cx)? else {
        return Ok(());
    };
    let config: Vec<String> = args.command_config.iter().cloned().collect();
    let overrides = [("bootstrap.servers", args.bootstrap_server.as_str())];
    let properties = options::client_properties(&config, &overrides)?;
    let mut report = Diagnosis::default();
    examine(&args, properties, &mut report, cx)?;
    let text = match args.output.output {
        Format::Table => painted(&report.table(), cx.stdout_is_terminal, report::tone),
        Format::Data(form) => report.data().text(form),
    };
    cx.out.write_all(text.as_bytes())?;
    match report.is_healthy() {
        true => Ok(()),
        false => Err(Stop::Status(1)),
    }
}

type Properties = Vec<(String, String)>;

fn examine(
    args: &Args,
    mut properties: Properties,
    report: &mut Diagnosis,
    cx: &mut Context,
) -> Result<(), Stop> {
    let servers = args.bootstrap_server.split(',').map(str::trim);
    let mut endpoints = Vec::new();
    for server in servers.filter(|server| !server.is_empty()) {
        match Endpoint::parse(server) {
            Ok(endpoint) => endpoints.push(endpoint),
            Err(bad) => report.add(
                Finding::failed(Hop::Name, server, bad.to_string()).advice("write it as HOST:PORT"),
            ),
        }
    }
    if endpoints.is_empty() {
        return Ok(());
    }
    let wanted = asked_protocol(&mut properties);
    let servers: Vec<String> = endpoints.iter().map(Endpoint::to_string).collect();
    options::set(&mut properties, "bootstrap.servers", servers.join(","));
    let settings = admin_settings(&properties, cx)?;
    let clients = match args.round_trip {
        true => Some(Clients {
            producer: producing::settings(&properties, cx)?,
            consumer: consuming::settings(&properties, cx)?,
        }),
        false => None,
    };
    let topic = args.topic.clone().unwrap_or_else(|| {
        let number: u32 = rand::random();
        format!("ottla-doctor-{number}")
    });
    let within = cx.timeout.unwrap_or(WITHIN);
    context::block_on(walk(
        &endpoints, settings, wanted, clients, &topic, within, report,
    ))?;
    Ok(())
}

/// The protocol that the properties ask for, where it is one that this client does not speak; the way is walked without it then.
fn asked_protocol(properties: &mut Properties) -> Option<String> {
    let key = "security.protocol";
    let asked = properties.iter().find(|(present, _)| present == key)?;
    let asked = asked.1.clone();
    options::set(properties, key, PLAINTEXT.to_owned());
    (!asked.eq_ignore_ascii_case(PLAINTEXT)).then_some(asked)
}

fn admin_settings(properties: &Properties, cx: &mut Context) -> Result<ClusterSettings, Failure> {
    let given = properties.iter().map(|(key, value)| (key, value));
    let settings = ClientKind::Admin.settings(given);
    let settings = settings.map_err(|error| Failure::new(error.to_string()))?;
    for key in settings.unknown() {
        connect::warn_of_unknown(key, cx);
    }
    connect::cluster_settings(ClientKind::Admin, &settings, cx)
        .map_err(|error| Failure::new(error.to_string()))
}

async fn walk(
    endpoints: &[Endpoint],
    settings: ClusterSettings,
    wanted: Option<String>,
    clients: Option<Clients>,
    topic: &str,
    within: Duration,
    report: &mut Diagnosis,
) {
    let mut first = None;
    for endpoint in endpoints {
        let metadata = address::walk(endpoint, &settings.conn, within, report).await;
        first = first.or(metadata.map(|metadata| (endpoint, metadata)));
    }
    if let Some(protocol) = wanted {
        let found = format!("security.protocol={protocol} is not spoken by this client yet");
        let is_plain =
            |finding: &Finding| finding.hop == Hop::Protocol && finding.verdict == Verdict::Ok;
        let advice = match report.findings.iter().any(is_plain) {
            true => {
                "the broker speaks plain text there: security.protocol=PLAINTEXT, or none, is right for this listener"
            }
            false => {
                "give it a PLAINTEXT listener; what the hops above found was found in plain text"
            }
        };
        report.add(Finding::failed(Hop::Authentication, "client", found).advice(advice));
    }
    let Some((asked, metadata)) = first else {
        return;
    };
    report.cluster_id = metadata.cluster_id.as_deref().map(str::to_owned);
    let reached = advertised::visit(&metadata, asked, &settings.conn, within, report).await;
    if reached.is_empty() {
        let skipped = |hop| Finding::new(hop, "cluster", Verdict::Skipped, "no broker is reached");
        report.add(skipped(Hop::Disk));
        if clients.is_some() {
            report.add(skipped(Hop::RoundTrip));
        }
        return;
    }
    let admin = match Admin::connect(settings).await {
        Ok(admin) => admin.with_timeout(within),
        Err(error) => {
            let finding = Finding::failed(Hop::Metadata, asked, error.to_string());
            report.add(finding.advice("it was there a moment ago: look at the broker's log"));
            return;
        }
    };
    resources::look(&admin, &reached, report).await;
    match clients {
        Some(clients) => round_trip::walk(&admin, topic, clients, within, report).await,
        None => report.add(Finding::new(
            Hop::RoundTrip,
            "cluster",
            Verdict::Skipped,
            "not asked for (--round-trip)",
        )),
    }
}
