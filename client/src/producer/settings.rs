//! What a producer goes by, from Kafka's keys.

use std::{fmt, sync::Arc, time::Duration};

use ottla_config::{ConfigError, resolve::Settings};
use ottla_protocol::compress::Compression;

use crate::config::invalid;

use super::{BatchReport, Partitioner, accumulator::AccumulatorSettings, queue::SendRules};

/// Which replicas must have a batch before it counts as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// Nobody answers; written to the socket is done.
    None,
    Leader,
    /// All in-sync replicas.
    All,
}

impl Acks {
    pub(super) fn on_wire(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

/// How a producer of transactions is known to its coordinator.
#[derive(Clone, Debug)]
pub struct TransactionSettings {
    /// `transactional.id`: the next producer with the same one ends what this one leaves open.
    pub id: String,
    /// `transaction.timeout.ms`: after that long the coordinator aborts by itself.
    pub timeout: Duration,
}

/// Called once per batch with what became of it.
pub type BatchObserver = Arc<dyn Fn(&BatchReport<'_>) + Send + Sync>;

/// A producer's settings.
#[derive(Clone)]
pub struct ProducerSettings {
    pub acks: Acks,
    pub batch_bytes: usize,
    pub linger: Duration,
    pub buffer_memory_bytes: usize,
    pub request_bytes_max: usize,
    pub compression: Compression,
    /// The codec's default where there is none.
    pub compression_level: Option<i32>,
    pub retries: u32,
    pub delivery_timeout: Duration,
    /// How long a send may wait for metadata or memory.
    pub block_max: Duration,
    pub in_flight_max: usize,
    pub idempotent: bool,
    /// Set for a producer of transactions.
    pub transactions: Option<TransactionSettings>,
    pub partitioner: Partitioner,
    pub observer: Option<BatchObserver>,
}

/// A frame's length has 31 bits; half of that leaves room for what stands around the batches.
const REQUEST_BYTES_MAX: usize = 1 << 30;

/// Brokers remember so many batches of each producer and partition.
const IN_FLIGHT_MAX_IDEMPOTENT: usize = 5;

impl ProducerSettings {
    /// Reads the producer's own keys.
    pub fn from_config(settings: &Settings) -> Result<Self, ConfigError> {
        let ms = |key: &str| settings.duration(key).unwrap_or(Duration::MAX);
        let acks = match settings.text("acks") {
            "0" => Acks::None,
            "1" => Acks::Leader,
            _ => Acks::All,
        };
        let compression = compression(settings)?;
        let idempotent = idempotence(settings, acks)?;
        Ok(Self {
            acks,
            batch_bytes: settings.size("batch.size").unwrap_or(0),
            linger: ms("linger.ms"),
            buffer_memory_bytes: settings.size("buffer.memory").unwrap_or(usize::MAX),
            request_bytes_max: settings
                .size("max.request.size")
                .unwrap_or(0)
                .min(REQUEST_BYTES_MAX),
            compression,
            compression_level: compression_level(settings, compression),
            retries: u32::try_from(settings.number("retries")).unwrap_or(u32::MAX),
            delivery_timeout: delivery_timeout(settings)?,
            block_max: ms("max.block.ms"),
            in_flight_max: settings
                .size("max.in.flight.requests.per.connection")
                .unwrap_or(1)
                .max(1),
            idempotent,
            transactions: transactions(settings, idempotent)?,
            partitioner: partitioner(settings)?,
            observer: None,
        })
    }

    pub(super) fn accumulator(&self) -> AccumulatorSettings {
        AccumulatorSettings {
            batch_bytes: self.batch_bytes,
            linger: self.linger,
            memory_bytes: self.buffer_memory_bytes,
            request_bytes_max: self.request_bytes_max,
            compression: (self.compression, self.compression_level),
            partitioner: self.partitioner.clone(),
            idempotent: self.idempotent,
            rules: SendRules {
                in_flight_max: self.in_flight_max,
                retries: self.retries,
                delivery_timeout: self.delivery_timeout,
                transactional: self.transactions.is_some(),
            },
        }
    }
}

impl fmt::Debug for ProducerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProducerSettings")
            .field("acks", &self.acks)
            .finish_non_exhaustive()
    }
}

fn compression(settings: &Settings) -> Result<Compression, ConfigError> {
    let name = settings.text("compression.type");
    let found = Compression::ALL
        .into_iter()
        .find(|codec| codec.name() == name);
    found.ok_or_else(|| {
        invalid(
            "compression.type",
            name,
            "it is no codec that this client knows",
        )
    })
}

fn compression_level(settings: &Settings, compression: Compression) -> Option<i32> {
    let key = match compression {
        Compression::None | Compression::Snappy => return None,
        Compression::Gzip => "compression.gzip.level",
        Compression::Lz4 => "compression.lz4.level",
        Compression::Zstd => "compression.zstd.level",
    };
    let level = i32::try_from(settings.number(key)).ok()?;
    // gzip's -1 is "the library's default".
    (compression != Compression::Gzip || level >= 1).then_some(level)
}

/// The default rises with the times it must cover; a value that somebody gave is held against them.
fn delivery_timeout(settings: &Settings) -> Result<Duration, ConfigError> {
    let key = "delivery.timeout.ms";
    let given = settings.number(key);
    let least = settings
        .number("linger.ms")
        .saturating_add(settings.number("request.timeout.ms"));
    if given < least && settings.is_given(key) {
        let reason =
            format!("it must be at least linger.ms + request.timeout.ms, which is {least}");
        return Err(invalid(key, &given.to_string(), &reason));
    }
    Ok(Duration::from_millis(
        u64::try_from(given.max(least)).unwrap_or(0),
    ))
}

/// On by default and off where `acks` or `retries` forbid it, unless somebody asked for it by name. More requests in
/// flight than it allows are refused, as long as nobody switched it off.
fn idempotence(settings: &Settings, acks: Acks) -> Result<bool, ConfigError> {
    let key = "enable.idempotence";
    if !settings.boolean(key) {
        return Ok(false);
    }
    let in_flight = "max.in.flight.requests.per.connection";
    let given = settings.number(in_flight);
    if given > IN_FLIGHT_MAX_IDEMPOTENT as i64 {
        let reason =
            format!("with enable.idempotence it must be at most {IN_FLIGHT_MAX_IDEMPOTENT}");
        return Err(invalid(in_flight, &given.to_string(), &reason));
    }
    let conflict = if acks != Acks::All {
        Some("acks must be all")
    } else if settings.number("retries") == 0 {
        Some("retries must not be 0")
    } else {
        None
    };
    match conflict {
        Some(reason) if settings.is_given(key) => {
            Err(invalid(key, "true", &format!("with it {reason}")))
        }
        conflict => Ok(conflict.is_none()),
    }
}

fn transactions(
    settings: &Settings,
    idempotent: bool,
) -> Result<Option<TransactionSettings>, ConfigError> {
    let two_phase = "transaction.two.phase.commit.enable";
    if settings.boolean(two_phase) {
        let reason = "two-phase commit is not supported by this version";
        return Err(invalid(two_phase, "true", reason));
    }
    let key = "transactional.id";
    let Some(id) = settings.opt_text(key) else {
        return Ok(None);
    };
    if !idempotent {
        let reason = "transactions need idempotence: enable.idempotence=true, acks=all, retries above 0 and \
                      max.in.flight.requests.per.connection of at most 5";
        return Err(invalid(key, id, reason));
    }
    Ok(Some(TransactionSettings {
        id: id.to_owned(),
        timeout: settings
            .duration("transaction.timeout.ms")
            .unwrap_or(Duration::MAX),
    }))
}

fn partitioner(settings: &Settings) -> Result<Partitioner, ConfigError> {
    let class = settings.opt_text("partitioner.class").unwrap_or_default();
    match class.rsplit('.').next().unwrap_or_default() {
        "" => Ok(Partitioner::Default {
            ignore_keys: settings.boolean("partitioner.ignore.keys"),
        }),
        "RoundRobinPartitioner" => Ok(Partitioner::RoundRobin),
        _ => Err(invalid(
            "partitioner.class",
            class,
            "Java classes can't be loaded; org.apache.kafka.clients.producer.RoundRobinPartitioner is built in",
        )),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::ClientKind;

    use super::*;

    fn read(given: &[(&str, &str)]) -> Result<ProducerSettings, ConfigError> {
        ProducerSettings::from_config(
            &ClientKind::Producer
                .settings(given.iter().copied())
                .unwrap(),
        )
    }

    #[test]
    fn defaults_are_those_of_kafka() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.acks, Acks::All);
        assert!(settings.idempotent);
        assert_eq!((settings.batch_bytes, settings.in_flight_max), (16384, 5));
        assert_eq!(settings.delivery_timeout.as_secs(), 120);
    }

    #[test]
    fn idempotence_gives_way_silently_unless_asked_for() {
        for (key, value) in [("acks", "1"), ("retries", "0")] {
            assert!(!read(&[(key, value)]).unwrap().idempotent, "{key}");
            let error = read(&[(key, value), ("enable.idempotence", "true")])
                .unwrap_err()
                .to_string();
            assert!(error.contains("enable.idempotence"), "{error}");
        }
    }

    #[test]
    fn more_requests_in_flight_than_idempotence_allows_want_it_off() {
        let six = ("max.in.flight.requests.per.connection", "6");
        let error = read(&[six]).unwrap_err().to_string();
        assert!(error.contains("at most 5"), "{error}");
        let settings = read(&[six, ("enable.idempotence", "false")]).unwrap();
        assert_eq!((settings.in_flight_max, settings.idempotent), (6, false));
    }

    #[test]
    fn what_this_client_does_not_do_is_refused() {
        for (key, value) in [
            ("transaction.two.phase.commit.enable", "true"),
            ("partitioner.class", "com.example.Mine"),
            ("delivery.timeout.ms", "1000"),
        ] {
            let error = read(&[(key, value)]).unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
    }

    #[test]
    fn transactions_want_idempotence() {
        let settings = read(&[("transactional.id", "t")]).unwrap();
        let transactions = settings.transactions.unwrap();
        assert_eq!(
            (transactions.id.as_str(), transactions.timeout.as_secs()),
            ("t", 60)
        );
        let error = read(&[("transactional.id", "t"), ("acks", "1")]).unwrap_err();
        assert!(error.to_string().contains("acks=all"), "{error}");
    }

    #[test]
    fn the_default_delivery_timeout_covers_lingering_and_a_request() {
        let settings = read(&[("linger.ms", "100000"), ("request.timeout.ms", "60000")]).unwrap();
        assert_eq!(settings.delivery_timeout.as_secs(), 160);
    }

    #[test]
    fn levels_are_read_for_the_codec_in_use() {
        let of = |given: &[(&str, &str)]| read(given).unwrap().compression_level;
        assert_eq!(of(&[("compression.type", "gzip")]), None);
        assert_eq!(
            of(&[
                ("compression.type", "gzip"),
                ("compression.gzip.level", "9")
            ]),
            Some(9)
        );
        assert_eq!(of(&[("compression.type", "zstd")]), Some(3));
        assert_eq!(of(&[("compression.type", "snappy")]), None);
    }
}
