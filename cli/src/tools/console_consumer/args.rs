//! The options, the checks of which go together, and their old names.

use clap::Parser;

use crate::context::Context;
use crate::options::{self, Given, Standard, ToolArgs};
use crate::stop::Stop;

use super::select::SelectArgs;

/// Show records of topics.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-console-consumer",
    disable_help_flag = true,
    disable_version_flag = true,
    after_help = "\
Examples:
  ottla console-consumer --bootstrap-server localhost:9092 --topic orders --from-beginning --max-messages 10
  # The last hour of a topic, until what is there now
  ottla console-consumer --bootstrap-server localhost:9092 --topic orders --from -1h --to now
  # The last 20 records with all they have, one JSON object a line
  ottla console-consumer --bootstrap-server localhost:9092 --topic orders --tail 20 --format json
  # The same as a table with a head line, for a spreadsheet
  ottla console-consumer --bootstrap-server localhost:9092 --topic orders --tail 20 --output csv
  # Offsets and values of one key, wherever it was about customer 7
  ottla console-consumer --bootstrap-server localhost:9092 --topic orders --until-end --key k1 --json customer=7 \
--format '%o %v\\n'"
)]
pub(super) struct Args {
    /// The brokers to connect to, as HOST:PORT,HOST:PORT
    #[arg(long, value_name = "SERVERS")]
    pub(super) bootstrap_server: Vec<String>,
    /// The topic to read
    #[arg(long, value_name = "TOPIC")]
    pub(super) topic: Vec<String>,
    /// Read all topics whose whole name matches a regular expression
    #[arg(long, value_name = "PATTERN")]
    pub(super) include: Vec<String>,
    /// Read one partition, without being a member of a group
    #[arg(long, value_name = "PARTITION")]
    pub(super) partition: Vec<String>,
    /// Where to begin in the partition: a number, earliest, or latest [latest]
    #[arg(long, value_name = "OFFSET")]
    pub(super) offset: Vec<String>,
    /// Begin with the first record, where the group has no offset yet, instead of what comes next
    #[arg(long)]
    pub(super) from_beginning: bool,
    /// The consumer group to be a member of [console-consumer-NUMBER, which commits nothing]
    #[arg(long, value_name = "GROUP")]
    pub(super) group: Vec<String>,
    /// End after so many records
    #[arg(long, value_name = "COUNT")]
    pub(super) max_messages: Vec<String>,
    /// End when no record has come for so long
    #[arg(long, value_name = "MS")]
    pub(super) timeout_ms: Vec<String>,
    /// read_uncommitted or read_committed [read_uncommitted]
    #[arg(long, value_name = "LEVEL")]
    pub(super) isolation_level: Vec<String>,
    /// How to show records: DefaultMessageFormatter, LoggingMessageFormatter, NoOpMessageFormatter,
    /// OffsetsMessageFormatter, GroupMetadataMessageFormatter, TransactionLogMessageFormatter, ShareGroupMessageFormatter
    /// or group.share.ShareGroupStateMessageFormatter, all of them in org.apache.kafka.tools.consumer
    #[arg(long, value_name = "CLASS")]
    pub(super) formatter: Vec<String>,
    /// A property of the formatter, KEY=VALUE: print.timestamp, print.partition, print.offset, print.delivery,
    /// print.epoch, print.headers, print.key, print.value (all true or false), key.separator, line.separator,
    /// headers.separator, null.literal, key.deserializer, value.deserializer, headers.deserializer
    #[arg(long, value_name = "KEY=VALUE")]
    formatter_property: Vec<String>,
    /// A file with properties of the formatter
    #[arg(long, value_name = "FILE")]
    pub(super) formatter_config: Vec<String>,
    /// Old name of --formatter-property
    #[arg(long, value_name = "KEY=VALUE")]
    property: Vec<String>,
    /// How to read keys: a class of org.apache.kafka.common.serialization, or string, short, integer, long, float, double,
    /// boolean, uuid, bytes, hex, base64; the bytes as they are where none is named
    #[arg(long, value_name = "CLASS")]
    pub(super) key_deserializer: Vec<String>,
    /// The same for values
    #[arg(long, value_name = "CLASS")]
    pub(super) value_deserializer: Vec<String>,
    /// Go on behind a record that cannot be shown
    #[arg(long)]
    pub(super) skip_message_on_error: bool,
    /// Say on standard output when the tool is done
    #[arg(long)]
    pub(super) enable_systest_events: bool,
    /// A property of the consumer, KEY=VALUE
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) command_property: Vec<String>,
    /// A file with properties of the consumer
    #[arg(long, value_name = "FILE")]
    pub(super) command_config: Vec<String>,
    /// Old name of --command-property
    #[arg(long, value_name = "KEY=VALUE")]
    consumer_property: Vec<String>,
    /// Old name of --command-config
    #[arg(long = "consumer.config", value_name = "FILE")]
    consumer_config: Vec<String>,

    #[command(flatten)]
    pub(super) select: SelectArgs,

    #[command(flatten)]
    standard: Standard,
}

impl ToolArgs for Args {
    const INTRO: &'static str =
        "This tool helps to read data from Kafka topics and outputs it to standard output.";

    fn standard(&self) -> &Standard {
        &self.standard
    }
}

/// Which options need or exclude each other.
pub(super) fn check(args: &Args) -> Result<(), Stop> {
    let usage = |text: &str| Err(Stop::Usage(text.to_owned()));
    if args.topic.is_empty() == args.include.is_empty() {
        return usage("Exactly one of the following arguments is required: [topic], [include]");
    }
    if args.partition.is_empty() {
        if !args.offset.is_empty() {
            return usage("The partition is required when offset is specified.");
        }
    } else if args.topic.is_empty() {
        return usage("The topic is required when partition is specified.");
    } else if args.from_beginning && !args.offset.is_empty() {
        return usage("Options from-beginning and offset cannot be specified together.");
    }
    options::require(&[Given::values("bootstrap-server", &args.bootstrap_server)])
}

/// Reads old names of the consumer's properties as the new ones, with a warning where the reference puts it: on standard
/// output.
pub(super) fn rename_old_options(args: &mut Args, cx: &mut Context) -> Result<(), Stop> {
    let format = args.select.output.format()?;
    let mut renamed = [
        (
            CONSUMER_PROPERTY,
            &mut args.consumer_property,
            &mut args.command_property,
        ),
        (
            CONSUMER_CONFIG,
            &mut args.consumer_config,
            &mut args.command_config,
        ),
    ];
    for (names, old, new) in &renamed {
        names.check(old, new)?;
    }
    for (names, old, new) in &mut renamed {
        if let Some(warning) = names.rename(old, new) {
            format.note(warning, cx)?;
        }
    }
    Ok(())
}

/// An option that has got another name.
pub(super) struct Renamed {
    old: &'static str,
    new: &'static str,
}

const CONSUMER_PROPERTY: Renamed = Renamed {
    old: "consumer-property",
    new: "command-property",
};
const CONSUMER_CONFIG: Renamed = Renamed {
    old: "consumer.config",
    new: "command-config",
};
const PROPERTY: Renamed = Renamed {
    old: "property",
    new: "formatter-property",
};

impl Renamed {
    fn check(&self, old: &[String], new: &[String]) -> Result<(), Stop> {
        if old.is_empty() || new.is_empty() {
            return Ok(());
        }
        let text = format!(
            "Options --{} and --{} cannot be specified together.",
            self.old, self.new
        );
        Err(Stop::Usage(text))
    }

    fn rename(&self, old: &mut Vec<String>, new: &mut Vec<String>) -> Option<String> {
        if old.is_empty() {
            return None;
        }
        std::mem::swap(old, new);
        Some(self.warning())
    }

    fn warning(&self) -> String {
        format!(
            "Option --{} is deprecated and will be removed in a future version. Use --{} instead.",
            self.old, self.new
        )
    }
}

impl Args {
    /// The properties of the formatter, and what is to be said where they have their old name. The reference looks at them
    /// when it has found the formatter.
    pub(super) fn formatter_words(&self) -> Result<(&[String], Option<String>), Stop> {
        PROPERTY.check(&self.property, &self.formatter_property)?;
        Ok(match self.property.is_empty() {
            true => (&self.formatter_property, None),
            false => (&self.property, Some(PROPERTY.warning())),
        })
    }
}
