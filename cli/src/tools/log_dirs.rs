//! `kafka-log-dirs`: what the log directories of brokers hold.

use std::collections::BTreeSet;
use std::io::Write as _;

use clap::{CommandFactory, Parser};
use ottla_client::admin::{Admin, LogDir, ReplicaOnDisk};
use ottla_protocol::types::BrokerId;
use serde_json::{Value, json};

use crate::connect::{self, failed};
use crate::context::{self, Context};
use crate::java_order;
use crate::jopt;
use crate::nearest;
use crate::options::{self, Connection, Given, Standard, ToolArgs};
use crate::output::{self, Format, OutputOnce, Report, Rows};
use crate::stop::{Failure, Stop};
use crate::tool::Tool;

pub const TOOL: Tool = Tool {
    name: "log-dirs",
    link: "kafka-log-dirs",
    about: "Show what the log directories of brokers hold",
    command: Args::command,
    run,
};

/// Show what the log directories of brokers hold.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-log-dirs",
    disable_help_flag = true,
    disable_version_flag = true,
    after_help = "Examples:\n  \
        kafka-log-dirs --bootstrap-server localhost:9092 --describe --topic-list orders\n  \
        kafka-log-dirs --bootstrap-server localhost:9092 --describe --output json"
)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Describe the log directories
    #[arg(long)]
    describe: bool,
    /// Only these topics, as a,b
    #[arg(long, value_name = "TOPICS")]
    topic_list: Vec<String>,
    /// Only these brokers, as 0,1,2
    #[arg(long, value_name = "IDS")]
    broker_list: Vec<String>,
    #[command(flatten)]
    output: OutputOnce,

    #[command(flatten)]
    standard: Standard,
}

impl ToolArgs for Args {
    const INTRO: &'static str =
        "This tool helps to query log directory usage on the specified brokers.";

    fn standard(&self) -> &Standard {
        &self.standard
    }
}

const JSON_VERSION: u32 = 1;

/// The directories of a broker.
type OfBroker = (BrokerId, Vec<LogDir>);

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let args: Args = options::start(words)?;
    options::require(&[
        Given::values("bootstrap-server", &args.connection.bootstrap_server),
        Given("describe", args.describe),
    ])?;
    let format = args.output.format()?;
    let bootstrap = args.connection.servers()?;
    let overrides = [("bootstrap.servers", bootstrap)];
    let settings = connect::settings(&args.connection.command_config, &overrides, cx)?;
    let topics = listed(jopt::one("topic-list", &args.topic_list)?);
    let topics: BTreeSet<&str> = topics.collect();
    let wanted = brokers(jopt::one("broker-list", &args.broker_list)?)?;
    let (brokers, mut found, hints) = context::block_on(async {
        let admin = connect::admin(settings, "listNodes").await?;
        let (brokers, found) = find(&admin, &wanted).await?;
        let hints = nearest::topics(topics.iter().copied(), &admin).await;
        Ok::<_, Failure>((brokers, found, hints))
    })??;
    for (_, dirs) in &mut found {
        for dir in dirs {
            let is_wanted = |replica: &ReplicaOnDisk| {
                topics.is_empty() || topics.contains(replica.partition.topic.as_str())
            };
            dir.replicas.retain(is_wanted);
        }
    }
    let text = match format {
        Format::Table => text(&brokers, &mut found),
        Format::Data(form) => report(&found).text(form),
    };
    cx.out.write_all(text.as_bytes())?;
    for hint in hints {
        cx.warn(hint);
    }
    Ok(())
}

fn listed(list: Option<&str>) -> impl Iterator<Item = &str> {
    let list = list.unwrap_or_default();
    list.split(',').filter(|item| !item.is_empty())
}

fn brokers(list: Option<&str>) -> Result<BTreeSet<i32>, Failure> {
    let number = |text: &str| {
        let wrong = || Failure::new(format!("For input string: \"{text}\""));
        text.parse().map_err(|_| wrong())
    };
    listed(list).map(number).collect()
}

async fn find(
    admin: &Admin,
    wanted: &BTreeSet<i32>,
) -> Result<(Vec<BrokerId>, Vec<OfBroker>), Failure> {
    let cluster = admin.describe_cluster(false).await;
    let cluster = cluster.map_err(failed("listNodes"))?;
    let known: BTreeSet<i32> = cluster.nodes.iter().map(|node| node.broker.id.0).collect();
    let missing: Vec<i32> = wanted.difference(&known).copied().collect();
    if !missing.is_empty() {
        let known: Vec<i32> = known.into_iter().collect();
        return Err(Failure::new(format!(
            "ERROR: The given brokers do not exist from --broker-list: {}. Current existent brokers: {}",
            joined(&missing),
            joined(&known)
        )));
    }
    let asked = if wanted.is_empty() { &known } else { wanted };
    let asked: Vec<BrokerId> = asked.iter().copied().map(BrokerId).collect();
    let call = "describeLogDirs";
    let answers = admin.describe_log_dirs(&asked, None).await;
    let mut found = Vec::new();
    for (broker, dirs) in answers.map_err(failed(call))? {
        found.push((broker, dirs.map_err(failed(call))?));
    }
    Ok((asked, found))
}

fn joined(ids: &[i32]) -> String {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    ids.join(",")
}

/// As the reference writes it: the fields of its maps in their order, and one line.
fn text(brokers: &[BrokerId], found: &mut [OfBroker]) -> String {
    let ids: Vec<i32> = brokers.iter().map(|broker| broker.0).collect();
    let mut parts = Vec::new();
    for (broker, dirs) in found {
        java_order::sort(dirs, None, |dir| &dir.path);
        let dirs: Vec<String> = dirs.iter_mut().map(dir).collect();
        parts.push(format!(
            "{{\"broker\":{broker},\"logDirs\":[{}]}}",
            dirs.join(",")
        ));
    }
    format!(
        "Querying brokers for log directories information\n\
         Received log directory information from brokers {}\n\
         {{\"brokers\":[{}],\"version\":1}}\n",
        joined(&ids),
        parts.join(",")
    )
}

fn dir(dir: &mut LogDir) -> String {
    java_order::sort_by_hash(&mut dir.replicas, None, |replica| {
        java_order::hash_of(&replica.partition)
    });
    let partition = |replica: &ReplicaOnDisk| {
        format!(
            "{{\"partition\":{},\"size\":{},\"offsetLag\":{},\"isFuture\":{}}}",
            json!(replica.partition.to_string()),
            replica.size_bytes,
            replica.offset_lag,
            replica.is_future
        )
    };
    let partitions: Vec<String> = dir.replicas.iter().map(partition).collect();
    let error = dir.error.as_ref().map(|error| connect::class(error.code));
    format!(
        "{{\"partitions\":[{}],\"error\":{},\"logDir\":{}}}",
        partitions.join(","),
        json!(error),
        json!(dir.path)
    )
}

const ROWS: Rows = Rows {
    within: &["brokers", "logDirs", "partitions"],
    columns: &[
        "broker",
        "logDir",
        "error.code",
        "totalBytes",
        "usableBytes",
        "topic",
        "partition",
        "sizeBytes",
        "offsetLag",
        "isFuture",
    ],
};

/// docs/json/log-dirs.md
fn report(found: &[OfBroker]) -> Report {
    let replica = |replica: &ReplicaOnDisk| {
        json!({
            "topic": replica.partition.topic,
            "partition": replica.partition.partition,
            "sizeBytes": replica.size_bytes,
            "offsetLag": replica.offset_lag,
            "isFuture": replica.is_future,
        })
    };
    let dir = |dir: &LogDir| {
        json!({
            "logDir": dir.path,
            "error": dir.error.as_ref().map(output::json_error),
            "totalBytes": dir.total_bytes,
            "usableBytes": dir.usable_bytes,
            "partitions": dir.replicas.iter().map(replica).collect::<Vec<_>>(),
        })
    };
    let broker = |(id, dirs): &OfBroker| json!({ "broker": id.0, "logDirs": dirs.iter().map(dir).collect::<Vec<_>>() });
    let brokers: Vec<Value> = found.iter().map(broker).collect();
    Report {
        value: json!({ "version": JSON_VERSION, "brokers": brokers }),
        rows: ROWS,
    }
}

#[cfg(test)]
mod tests {
    use ottla_client::admin::TopicPartition;

    use super::*;

    #[test]
    fn lists_of_brokers_are_numbers() {
        assert_eq!(brokers(Some("2,,1,2")).unwrap(), BTreeSet::from([1, 2]));
        assert!(brokers(None).unwrap().is_empty());
        assert_eq!(
            brokers(Some("1,x")).unwrap_err().message,
            "For input string: \"x\""
        );
    }

    #[test]
    fn fields_come_in_the_order_of_the_references_maps() {
        let replica = ReplicaOnDisk {
            partition: TopicPartition::new("t", 0),
            size_bytes: 7,
            offset_lag: 0,
            is_future: false,
        };
        let dir = LogDir {
            path: "/a \"quoted\" path".to_owned(),
            error: None,
            replicas: vec![replica],
            total_bytes: None,
            usable_bytes: None,
        };
        let mut found = [(BrokerId(1), vec![dir])];
        assert_eq!(
            text(&[BrokerId(1)], &mut found).lines().last(),
            Some(
                r#"{"brokers":[{"broker":1,"logDirs":[{"partitions":[{"partition":"t-0","size":7,"offsetLag":0,"isFuture":false}],"error":null,"logDir":"/a \"quoted\" path"}]}],"version":1}"#
            )
        );
    }
}
