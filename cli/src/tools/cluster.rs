//! `kafka-cluster`: the cluster's id, its endpoints, and taking a broker out of it.

use std::io::Write;

use clap::{ArgGroup, CommandFactory, Parser, Subcommand};
use ottla_client::ClientError;
use ottla_client::admin::{Admin, ClusterDescription, ClusterNode};
use ottla_client::cluster::EndpointType;
use ottla_client::conn::RequestError;
use ottla_protocol::types::BrokerId;
use serde_json::{Value, json};

use crate::argparse::{self, number};
use crate::connect::{self, Bootstrap, failed};
use crate::context::Context;
use crate::output::{Format, Output, Report, Rows};
use crate::stop::{Failure, Stop};
use crate::table::{line, width};
use crate::tool::Tool;

pub const TOOL: Tool = Tool {
    name: "cluster",
    link: "kafka-cluster",
    about: "Show the cluster's id and endpoints, unregister brokers",
    command: Args::command,
    run,
};

/// Show the cluster's id and endpoints, unregister brokers.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-cluster",
    after_help = "Examples:\n  \
        kafka-cluster cluster-id --bootstrap-server localhost:9092\n  \
        kafka-cluster list-endpoints --bootstrap-server localhost:9092 --output json"
)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Show the id of the cluster
    ClusterId {
        #[command(flatten)]
        connection: Connection,
        #[command(flatten)]
        output: Output,
    },
    /// Take a broker that is gone for good out of the cluster
    Unregister {
        #[command(flatten)]
        connection: Connection,
        /// The broker
        #[arg(short, long, value_name = "ID", allow_negative_numbers = true, value_parser = number::<i32>("Integer"))]
        id: i32,
        #[command(flatten)]
        output: Output,
    },
    /// List the brokers and where they are reached
    ListEndpoints {
        #[command(flatten)]
        connection: Connection,
        /// Also those that are shut out for now
        #[arg(long)]
        include_fenced_brokers: bool,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, Clone, clap::Args)]
#[command(group(ArgGroup::new("servers").required(true).args(["bootstrap_server", "bootstrap_controller"])))]
struct Connection {
    /// The brokers to connect to, as HOST:PORT,HOST:PORT
    #[arg(short = 'b', long, value_name = "SERVERS")]
    bootstrap_server: Option<String>,
    /// The controllers to connect to instead, as HOST:PORT,HOST:PORT
    #[arg(short = 'C', long, value_name = "SERVERS")]
    bootstrap_controller: Option<String>,
    /// A file of client properties to connect with
    #[arg(short = 'c', long, value_name = "FILE")]
    command_config: Option<String>,
    /// The same (deprecated)
    #[arg(long, value_name = "FILE")]
    config: Option<String>,
}

const JSON_VERSION: u32 = 1;
const DESCRIBE: &str = "listNodes";

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let args: Args = argparse::start(words, TOOL.link, cx)?;
    let text = match &args.action {
        Action::ClusterId { connection, output } => {
            let found = with_cluster(connection, DESCRIBE, output.output, cx, async |admin| {
                describe(admin, false).await
            })?;
            cluster_id(found.id.as_deref(), output.output)
        }
        Action::ListEndpoints {
            connection,
            include_fenced_brokers,
            output,
        } => {
            if *include_fenced_brokers && connection.bootstrap_controller.is_some() {
                return Err(Stop::failed(
                    "The option --include-fenced-brokers is only supported with --bootstrap-server option",
                ));
            }
            let found = with_cluster(connection, DESCRIBE, output.output, cx, async |admin| {
                describe(admin, *include_fenced_brokers).await
            })?;
            match output.output {
                Format::Table => endpoints(&found),
                Format::Data(form) => endpoints_report(&found).text(form),
            }
        }
        Action::Unregister {
            connection,
            id,
            output,
        } => {
            let id = BrokerId(*id);
            let call = "unregisterBroker";
            let is_done = with_cluster(connection, call, output.output, cx, async |admin| {
                unregister(admin, id).await
            })?;
            unregistered(id, is_done, output.output)
        }
    };
    Ok(cx.out.write_all(text.as_bytes())?)
}

/// Connects, and asks.
fn with_cluster<T>(
    connection: &Connection,
    call: &'static str,
    format: Format,
    cx: &mut Context,
    ask: impl AsyncFnOnce(&Admin) -> Result<T, Failure>,
) -> Result<T, Stop> {
    if connection.config.is_some() {
        if connection.command_config.is_some() {
            return Err(Stop::failed(
                "--config and --command-config cannot be specified together.",
            ));
        }
        let notice = "Option --config has been deprecated and will be removed in a future version. Use --command-config instead.";
        format.note(notice, cx)?;
    }
    let config = connection.command_config.iter().chain(&connection.config);
    let config: Vec<String> = config.cloned().collect();
    let bootstrap = Bootstrap::of_options(
        connection.bootstrap_server.as_deref(),
        connection.bootstrap_controller.as_deref(),
    );
    let bootstrap = bootstrap.unwrap_or(Bootstrap::Servers(""));
    connect::ask(&config, bootstrap, call, cx, ask)
}

async fn describe(admin: &Admin, include_fenced: bool) -> Result<ClusterDescription, Failure> {
    let found = admin.describe_cluster(include_fenced).await;
    found.map_err(failed(DESCRIBE))
}

/// Whether it was done; brokers before 2.8 cannot.
async fn unregister(admin: &Admin, id: BrokerId) -> Result<bool, Failure> {
    match admin.unregister_broker(id).await {
        Ok(()) => Ok(true),
        Err(ClientError::Request(RequestError::Version { .. })) => Ok(false),
        Err(error) => Err(connect::failure("unregisterBroker", &error)),
    }
}

fn unregistered(id: BrokerId, is_done: bool, format: Format) -> String {
    match (format, is_done) {
        (Format::Data(form), _) => {
            let value = json!({ "version": JSON_VERSION, "id": id.0, "unregistered": is_done });
            Report::of_one(value, &["id", "unregistered"]).text(form)
        }
        (Format::Table, true) => format!("Broker {id} is no longer registered.\n"),
        (Format::Table, false) => {
            "The target cluster does not support the broker unregistration API.\n".to_owned()
        }
    }
}

fn cluster_id(id: Option<&str>, format: Format) -> String {
    match (format, id) {
        (Format::Data(form), id) => {
            let value = json!({ "version": JSON_VERSION, "clusterId": id });
            Report::of_one(value, &["clusterId"]).text(form)
        }
        (Format::Table, Some(id)) => format!("Cluster ID: {id}\n"),
        (Format::Table, None) => {
            "No cluster ID found. The Kafka version is probably too old.\n".to_owned()
        }
    }
}

/// Columns for hosts and racks grow with what is in them. Controllers have no state.
fn endpoints(found: &ClusterDescription) -> String {
    let hosts = found.nodes.iter().map(|node| &*node.broker.endpoint.host);
    let racks = found
        .nodes
        .iter()
        .filter_map(|node| node.broker.rack.as_deref());
    let rack_width = match width(0, racks) {
        0 => 10,
        some => some,
    };
    let widths = [10, width(0, hosts), 10, rack_width, 10, 15];
    let heads = ["ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE"];
    let kind = match found.endpoint_type {
        EndpointType::Broker => "broker",
        EndpointType::Controller => "controller",
    };
    let shown = |cells: [&str; 6]| {
        let columns = cells.into_iter().zip(widths).enumerate();
        let has_state = found.endpoint_type == EndpointType::Broker;
        let columns = columns.filter(|(at, _)| has_state || heads.get(*at) != Some(&"STATE"));
        let mut text = String::new();
        line(&mut text, columns.map(|(_, column)| column));
        text
    };
    let mut text = shown(heads);
    for node in &found.nodes {
        let id = node.broker.id.to_string();
        let port = node.broker.endpoint.port.to_string();
        text += &shown([
            &id,
            &node.broker.endpoint.host,
            &port,
            rack(node.broker.rack.as_deref()),
            state(node.is_fenced),
            kind,
        ]);
    }
    text
}

fn rack(rack: Option<&str>) -> &str {
    rack.unwrap_or("null")
}

fn state(is_fenced: bool) -> &'static str {
    if is_fenced { "fenced" } else { "unfenced" }
}

/// docs/json/cluster.md
fn endpoints_report(found: &ClusterDescription) -> Report {
    let broker = |node: &ClusterNode| {
        json!({
            "id": node.broker.id.0,
            "host": &*node.broker.endpoint.host,
            "port": node.broker.endpoint.port,
            "rack": node.broker.rack,
            "fenced": node.is_fenced,
        })
    };
    let controller = |node: &ClusterNode| {
        json!({
            "id": node.broker.id.0,
            "host": &*node.broker.endpoint.host,
            "port": node.broker.endpoint.port,
        })
    };
    let nodes = found.nodes.iter();
    let (kind, nodes): (_, Vec<Value>) = match found.endpoint_type {
        EndpointType::Broker => ("brokers", nodes.map(broker).collect()),
        EndpointType::Controller => ("controllers", nodes.map(controller).collect()),
    };
    Report {
        value: json!({ "version": JSON_VERSION, "clusterId": found.id, kind: nodes }),
        rows: Rows {
            within: &["brokers|controllers"],
            columns: &["id", "host", "port", "rack", "fenced"],
        },
    }
}
