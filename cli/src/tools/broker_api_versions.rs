//! `kafka-broker-api-versions`: what every broker of a cluster speaks.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::RangeInclusive;

use clap::{CommandFactory, Parser};

use ottla_client::ClientError;
use ottla_client::cluster::Broker;
use ottla_client::conn::PeerVersions;
use ottla_protocol::apis::ApiKey;
use serde_json::json;

use crate::connect::{self, failed};
use crate::context::{self, Context};
use crate::java_order;
use crate::options::{self, Connection, Given, Standard, ToolArgs};
use crate::output::{Format, OutputOnce, Report, Rows};
use crate::stop::{Failure, Stop};
use crate::tool::Tool;

pub const TOOL: Tool = Tool {
    name: "broker-api-versions",
    link: "kafka-broker-api-versions",
    about: "Show which requests and versions every broker speaks",
    command: Args::command,
    run,
};

/// Show which requests and versions every broker speaks.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-broker-api-versions",
    disable_help_flag = true,
    disable_version_flag = true,
    after_help = "Examples:\n  \
        kafka-broker-api-versions --bootstrap-server localhost:9092\n  \
        kafka-broker-api-versions --bootstrap-server localhost:9092 --output wide"
)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,

    #[command(flatten)]
    output: OutputOnce,
    #[command(flatten)]
    standard: Standard,
}

impl ToolArgs for Args {
    const INTRO: &'static str = "This tool helps to retrieve broker version information.";

    fn standard(&self) -> &Standard {
        &self.standard
    }
}

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let args: Args = options::start(words)?;
    options::require(&[Given::values(
        "bootstrap-server",
        &args.connection.bootstrap_server,
    )])?;
    let format = args.output.format()?;
    let bootstrap = args.connection.servers()?;
    let settings = connect::settings(
        &args.connection.command_config,
        &[("bootstrap.servers", bootstrap)],
        cx,
    )?;
    let mut answers = context::block_on(async {
        let admin = connect::admin(settings, "listNodes").await?;
        admin.broker_versions().await.map_err(failed("listNodes"))
    })?
    .map_err(|failure: Failure| failure)?;
    if let Format::Data(form) = format {
        return Ok(cx.out.write_all(report(&answers).text(form).as_bytes())?);
    }
    java_order::sort_by_hash(&mut answers, None, |(broker, _)| hash_of(broker));
    for (broker, versions) in answers {
        let text = match versions {
            Ok(versions) => render(&broker, &versions),
            Err(error) => format!("{} -> ERROR: {error}\n", node(&broker)),
        };
        cx.out.write_all(text.as_bytes())?;
    }
    Ok(())
}

type Answer = (Broker, Result<PeerVersions, ClientError>);

/// docs/json/broker-api-versions.md
fn report(answers: &[Answer]) -> Report {
    let api = |(key, range): (i16, RangeInclusive<i16>)| {
        let known = ApiKey::from_key(key);
        let ours = known.and_then(ApiKey::versions);
        let usable = ours
            .filter(|(oldest, newest)| newest >= range.start() && range.end() >= oldest)
            .map(|(_, newest)| newest.min(*range.end()));
        json!({
            "key": key,
            "name": known.map(ApiKey::name),
            "min": range.start(),
            "max": range.end(),
            "usable": usable,
        })
    };
    let broker = |(broker, versions): &Answer| {
        let apis = versions.iter().flat_map(|versions| versions.iter());
        json!({
            "id": broker.id.0,
            "host": &*broker.endpoint.host,
            "port": broker.endpoint.port,
            "rack": broker.rack,
            "error": versions.as_ref().err().map(ToString::to_string),
            "apis": apis.map(api).collect::<Vec<_>>(),
        })
    };
    Report {
        value: json!({ "version": 1, "brokers": answers.iter().map(broker).collect::<Vec<_>>() }),
        rows: Rows {
            within: &["brokers", "apis"],
            columns: &[
                "id", "host", "port", "rack", "error", "key", "name", "min", "max", "usable",
            ],
        },
    }
}

/// `Node.hashCode` of a broker that is not fenced.
fn hash_of(broker: &Broker) -> u32 {
    const FALSE: u32 = 1237;
    let parts = [
        broker.id.0.cast_unsigned(),
        u32::from(broker.endpoint.port),
        broker.rack.as_deref().map_or(0, java_order::hash),
        FALSE,
    ];
    let host = java_order::hash(&broker.endpoint.host);
    parts.iter().fold(31_u32.wrapping_add(host), |hash, part| {
        hash.wrapping_mul(31).wrapping_add(*part)
    })
}

fn node(broker: &Broker) -> String {
    let rack = broker.rack.as_deref().unwrap_or("null");
    format!(
        "{} (id: {} rack: {rack} isFenced: false)",
        broker.endpoint, broker.id.0
    )
}

/// A broker's block: what it names, and what it should name and does not, by key.
fn render(broker: &Broker, versions: &PeerVersions) -> String {
    let unsupported = ApiKey::ALL
        .iter()
        .filter(|api| api.listeners().broker && !api.is_retired())
        .map(|api| {
            (
                api.key(),
                format!("{}({}): UNSUPPORTED", api.name(), api.key()),
            )
        });
    let mut lines: BTreeMap<i16, String> = unsupported.collect();
    lines.extend(
        versions
            .iter()
            .map(|(key, range)| (key, line(key, *range.start(), *range.end()))),
    );
    let lines: Vec<String> = lines.into_values().collect();
    format!("{} -> (\n\t{}\n)\n", node(broker), lines.join(",\n\t"))
}

fn line(key: i16, min: i16, max: i16) -> String {
    let range = if min == max {
        min.to_string()
    } else {
        format!("{min} to {max}")
    };
    let Some((api, ours)) = ApiKey::from_key(key).and_then(|api| Some((api, api.versions()?)))
    else {
        return format!("UNKNOWN({key}): {range}");
    };
    let usable = match ours {
        (_, newest) if newest < min => "unusable: node too new".to_owned(),
        (oldest, _) if max < oldest => "unusable: node too old".to_owned(),
        (_, newest) => format!("usable: {}", newest.min(max)),
    };
    format!("{}({key}): {range} [{usable}]", api.name())
}

#[cfg(test)]
mod tests {
    use ottla_client::conn::Endpoint;
    use ottla_protocol::types::BrokerId;

    use super::*;

    #[test]
    fn a_broker_has_the_hash_that_it_has_in_java() {
        let broker = |id, host, port, rack: Option<&str>| Broker {
            id: BrokerId(id),
            endpoint: Endpoint::new(host, port),
            rack: rack.map(str::to_owned),
        };
        let first = broker(1, "127.0.0.1", 19092, Some("rack1"));
        assert_eq!(hash_of(&first).cast_signed(), -2_002_915_990);
        let third = broker(3, "localhost", 9094, None);
        assert_eq!(hash_of(&third).cast_signed(), -1_768_244_566);
    }

    #[test]
    fn a_line_says_what_both_sides_speak() {
        assert_eq!(line(0, 0, 13), "Produce(0): 0 to 13 [usable: 13]");
        assert_eq!(line(0, 0, 99), "Produce(0): 0 to 99 [usable: 13]");
        assert_eq!(
            line(46, 0, 0),
            "ListPartitionReassignments(46): 0 [usable: 0]"
        );
        assert_eq!(
            line(1, 30, 31),
            "Fetch(1): 30 to 31 [unusable: node too new]"
        );
        assert_eq!(line(1, 0, 3), "Fetch(1): 0 to 3 [unusable: node too old]");
        assert_eq!(line(9999, 0, 3), "UNKNOWN(9999): 0 to 3");
    }
}
