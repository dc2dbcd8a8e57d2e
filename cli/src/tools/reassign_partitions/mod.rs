//! `kafka-reassign-partitions`: moves replicas from broker to broker, and from directory to directory.

mod args;
mod cancel;
mod execute;
mod facts;
mod generate;
mod placement;
mod plan;
mod throttle;
mod trouble;
mod verify;

use std::io::Write as _;
use std::time::Duration;

use clap::CommandFactory;
use ottla_client::admin::{Admin, TopicPartitionReplica};
use ottla_client::cluster::ClusterSettings;
use serde_json::{Value, json};

use crate::connect::{self, Bootstrap};
use crate::context::{self, Context, without_escapes};
use crate::jopt;
use crate::json_file;
use crate::options;
use crate::output::{Format, Report, Rows};
use crate::stop::{Failure, Stop};
use crate::tool::Tool;

use args::{Args, check};
use plan::Plan;
use trouble::Trouble;

pub const TOOL: Tool = Tool {
    name: "reassign-partitions",
    link: "kafka-reassign-partitions",
    about: "Move replicas to other brokers and log directories",
    command: Args::command,
    run,
};

const JSON_VERSION: u32 = 1;
const TIMEOUT_MS: u64 = 10_000;
/// Longer than anybody waits, and no overflow.
const TIMEOUT_MS_MAX: u64 = 1 << 40;

/// What is to be done, its files read.
#[derive(Debug)]
enum Action {
    Generate(generate::Wanted),
    Execute(Plan, execute::How),
    Verify {
        plan: Plan,
        preserve_throttles: bool,
    },
    Cancel {
        plan: Plan,
        preserve_throttles: bool,
        timeout: Duration,
    },
    List,
}

/// Says on standard output what is done, as it is done, unless data is to stand there.
struct Teller<'a> {
    cx: &'a mut Context,
    format: Format,
}

impl Teller<'_> {
    fn line(&mut self, text: &str) -> Result<(), Trouble> {
        self.text(&format!("{text}\n"))
    }

    fn text(&mut self, text: &str) -> Result<(), Trouble> {
        match self.format {
            Format::Table => Ok(write!(self.cx.out, "{}", without_escapes(text))?),
            Format::Data(_) => Ok(()),
        }
    }
}

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let args: Args = options::start(words)?;
    check(&args)?;
    let format = args.output.format()?;
    match (act(&args, format, cx), format) {
        (Ok(report), Format::Data(form)) => Ok(cx.out.write_all(report.text(form).as_bytes())?),
        (Ok(_), Format::Table) => Ok(()),
        (Err(trouble), _) => Err(told(trouble, format, cx)?),
    }
}

/// The reference tells troubles where it tells everything.
fn told(trouble: Trouble, format: Format, cx: &mut Context) -> Result<Stop, Stop> {
    let (text, failure) = trouble.told()?;
    if format.is_data() {
        return Ok(failure.into());
    }
    write!(cx.out, "{}", without_escapes(&text))?;
    for hint in &failure.hints {
        cx.warn(hint);
    }
    Ok(Stop::Status(failure.status))
}

fn act(args: &Args, format: Format, cx: &mut Context) -> Result<Report, Trouble> {
    let settings = settings(args, cx)?;
    let action = action(args)?;
    let mut teller = Teller { cx, format };
    context::block_on(async {
        let admin = connect::admin(settings, action.first_call()).await?;
        action.run(&admin, &mut teller).await
    })?
}

impl Action {
    fn first_call(&self) -> &'static str {
        match self {
            Self::Generate(_) => "describeTopics",
            _ => "listPartitionReassignments",
        }
    }

    async fn run(&self, admin: &Admin, teller: &mut Teller<'_>) -> Result<Report, Trouble> {
        match self {
            Self::Generate(wanted) => generate::run(admin, wanted, teller).await,
            Self::Execute(plan, how) => execute::run(admin, plan, how, teller).await,
            Self::Verify {
                plan,
                preserve_throttles,
            } => verify::run(admin, plan, *preserve_throttles, teller).await,
            Self::Cancel {
                plan,
                preserve_throttles,
                timeout,
            } => cancel::run(admin, plan, *preserve_throttles, *timeout, teller).await,
            Self::List => cancel::list(admin, teller).await,
        }
    }
}

fn settings(args: &Args, cx: &mut Context) -> Result<ClusterSettings, Trouble> {
    let failed = |stop: Stop, as_trouble: fn(Failure) -> Trouble| match stop {
        Stop::Failed(failure) => as_trouble(failure),
        Stop::Output(error) => Trouble::Output(error),
        other => as_trouble(Failure::new(format!("{other:?}"))),
    };
    jopt::one("command-config", &args.command_config)?;
    options::client_properties(&args.command_config, &[])
        .map_err(|stop| failed(stop, Trouble::no_such_file))?;
    // Said without a value, as it may be, the option is there and nothing more.
    let named = |values: &[String]| -> Vec<String> {
        let values = values.iter().filter(|value| !value.is_empty());
        values.cloned().collect()
    };
    let servers = named(&args.bootstrap_server);
    let servers = jopt::one("bootstrap-server", &servers)?;
    let controllers = named(&args.bootstrap_controller);
    let controllers = jopt::one("bootstrap-controller", &controllers)?;
    let Some(bootstrap) = Bootstrap::of_options(servers, controllers) else {
        return Err(Trouble::null(
            "--bootstrap-server HOST:PORT names the cluster.",
        ));
    };
    connect::settings(&args.command_config, &bootstrap.properties(), cx)
        .map_err(|stop| failed(stop, Trouble::client))
}

fn action(args: &Args) -> Result<Action, Trouble> {
    let read = |name: &'static str, files: &[String]| {
        let file = jopt::one(name, files)?.unwrap_or_default();
        json_file::read(file).map_err(Trouble::unreadable)
    };
    if args.list {
        return Ok(Action::List);
    }
    if args.generate {
        let topics = read("topics-to-move-json-file", &args.topics_to_move_json_file)?;
        let brokers = jopt::one("broker-list", &args.broker_list)?.unwrap_or_default();
        return Ok(Action::Generate(generate::Wanted {
            brokers: generate::brokers(brokers)?,
            topics: plan::topics(&topics)?,
            rack_aware: !args.disable_rack_aware,
        }));
    }
    let text = read("reassignment-json-file", &args.reassignment_json_file)?;
    let preserve_throttles = args.preserve_throttles;
    if args.verify {
        let plan = Plan::parse(&text)?;
        return Ok(Action::Verify {
            plan,
            preserve_throttles,
        });
    }
    let limit = |name, values: &[String]| -> Result<Option<i64>, Trouble> {
        Ok(jopt::number(name, values)?.filter(|bytes: &i64| *bytes >= 0))
    };
    let throttle = limit("throttle", &args.throttle)?;
    let log_dir_throttle = limit(
        "replica-alter-log-dirs-throttle",
        &args.replica_alter_log_dirs_throttle,
    )?;
    let timeout_ms = match jopt::number::<i64>("timeout", &args.timeout)? {
        None => TIMEOUT_MS,
        Some(ms) => u64::try_from(ms).unwrap_or_default(),
    };
    let timeout = Duration::from_millis(timeout_ms.min(TIMEOUT_MS_MAX));
    let plan = Plan::parse(&text)?;
    if args.cancel {
        return Ok(Action::Cancel {
            plan,
            preserve_throttles,
            timeout,
        });
    }
    let how = execute::How {
        additional: args.additional,
        throttle,
        log_dir_throttle,
        timeout,
        allow_factor_change: !args.disallow_replication_factor_change,
    };
    Ok(Action::Execute(plan, how))
}

fn report(mut value: Value, rows: Rows) -> Report {
    if let Value::Object(fields) = &mut value {
        fields.insert("version".to_owned(), JSON_VERSION.into());
    }
    Report { value, rows }
}

fn replica_json((replica, dir): (&TopicPartitionReplica, &String)) -> Value {
    let at = &replica.partition;
    json!({ "topic": at.topic, "partition": at.partition, "broker": replica.broker.0, "logDir": dir })
}
