//! What the server itself reads from the configuration, checked and as plain values.
//!
//! A configuration that asks for something this broker does not have is refused here, with the key and the reason,
//! rather than served by halves.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ottla_config::resolve::{BrokerConfig, Settings as Values};
use ottla_protocol::types::BrokerId;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

use crate::exec::keeper::Pace;
use crate::memory_limit;
use crate::net::Limits;

/// Largest memory for requests that is taken without being asked for.
const DEFAULT_REQUEST_MEMORY_MAX: u64 = 512 * 1024 * 1024;
const DEFAULT_CONNECTIONS_MAX: usize = 10_000;
/// Listeners, locks, the runtime, and what sixteen threads that flush open at a time.
const DESCRIPTORS_OF_OTHERS_MIN: usize = 48;
const LOG_FILES_MIN: usize = 16;

/// `NAME://HOST:PORT`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub name: String,
    /// Empty: every address of the machine.
    pub host: String,
    pub port: u16,
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error(transparent)]
    Config(#[from] ottla_config::ConfigError),
    #[error("{key}: {reason}")]
    Refused { key: &'static str, reason: String },
}

fn refused(key: &'static str, reason: impl Into<String>) -> SettingsError {
    SettingsError::Refused {
        key,
        reason: reason.into(),
    }
}

/// Plain values for the life of the process; what can change at run time is read from the configuration in force.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) node_id: BrokerId,
    pub(crate) rack: Option<String>,
    /// Those for clients.
    pub(crate) listeners: Vec<Endpoint>,
    /// Those that answer as a controller's do.
    pub(crate) controller_listeners: Vec<Endpoint>,
    /// Empty: each client is answered with the address that it connected to.
    pub(crate) advertised: Vec<Endpoint>,
    pub(crate) log_dirs: Vec<PathBuf>,
    pub(crate) metadata_log_dir: PathBuf,
    pub(crate) socket_request_bytes_max: usize,
    /// None: as the system sees fit.
    pub(crate) socket_send_buffer_bytes: Option<usize>,
    pub(crate) request_memory_bytes: usize,
    pub(crate) connections_max_idle: Duration,
    pub(crate) connection_limits: Limits,
    pub(crate) log_files_max: usize,
    pub(crate) fetch_bytes_max: usize,
    pub(crate) fetch_sessions_max: usize,
    pub(crate) describe_partitions_max: usize,
    pub(crate) keeper_pace: Pace,
    pub(crate) recovery_threads_per_dir: usize,
}

impl Settings {
    pub(crate) fn from_config(config: &BrokerConfig) -> Result<Self, SettingsError> {
        let values = config.settings();
        refuse_what_is_not_built(values)?;
        let log_dirs = log_dirs(values)?;
        let connection_limits = connection_limits(values)?;
        let (listeners, controller_listeners) = listeners(values)?;
        Ok(Self {
            node_id: BrokerId(i32_of(values, "node.id")),
            rack: values.opt_text("broker.rack").map(str::to_owned),
            listeners,
            controller_listeners,
            advertised: endpoints("advertised.listeners", values.list("advertised.listeners"))?,
            metadata_log_dir: metadata_log_dir(values, &log_dirs),
            log_dirs,
            socket_request_bytes_max: positive(values, "socket.request.max.bytes"),
            socket_send_buffer_bytes: values.size("socket.send.buffer.bytes"),
            request_memory_bytes: request_memory_bytes(values),
            connections_max_idle: values
                .duration("connections.max.idle.ms")
                .unwrap_or(Duration::MAX / 4),
            log_files_max: log_files_max(descriptors_max(), connection_limits.connections_max),
            connection_limits,
            fetch_bytes_max: positive(values, "fetch.max.bytes"),
            fetch_sessions_max: values
                .size("max.incremental.fetch.session.cache.slots")
                .unwrap_or(0),
            describe_partitions_max: positive(values, "max.request.partition.size.limit"),
            keeper_pace: keeper_pace(values),
            recovery_threads_per_dir: positive(values, "num.recovery.threads.per.data.dir"),
        })
    }
}

fn keeper_pace(values: &Values) -> Pace {
    let ms = |key| Duration::from_millis(positive(values, key) as u64);
    let recovery_points = ms("log.flush.offset.checkpoint.interval.ms");
    let log_starts = ms("log.flush.start.offset.checkpoint.interval.ms");
    Pace {
        retention: ms("log.retention.check.interval.ms"),
        checkpoint: recovery_points.min(log_starts),
    }
}

fn positive(values: &Values, key: &str) -> usize {
    values.size(key).unwrap_or(0).max(1)
}

fn i32_of(values: &Values, key: &str) -> i32 {
    i32::try_from(values.number(key)).unwrap_or(i32::MAX)
}

/// What other issues bring. A key that only tunes such a thing does no harm and passes.
fn refuse_what_is_not_built(values: &Values) -> Result<(), SettingsError> {
    let roles = values.list("process.roles");
    if !["broker", "controller"]
        .iter()
        .all(|role| roles.iter().any(|given| given == role))
    {
        return Err(refused(
            "process.roles",
            "this version runs one node, which is broker and controller: use broker,controller",
        ));
    }
    let unknown = |name: &&String| crate::exec::groups::assignor(name).is_none();
    if let Some(name) = values.list("group.consumer.assignors").iter().find(unknown) {
        return Err(refused(
            "group.consumer.assignors",
            format!("{name} is not here, only uniform and range"),
        ));
    }
    let own_id = values.number("node.id").to_string();
    let voters = values.list("controller.quorum.voters");
    if voters.len() > 1
        || voters
            .iter()
            .any(|voter| voter.split('@').next() != Some(&own_id))
    {
        return Err(refused(
            "controller.quorum.voters",
            "more than one node is not supported yet",
        ));
    }
    if values.list("controller.quorum.bootstrap.servers").len() > 1 {
        return Err(refused(
            "controller.quorum.bootstrap.servers",
            "more than one node is not supported yet",
        ));
    }
    if values
        .opt_text("authorizer.class.name")
        .is_some_and(|class| !class.is_empty())
    {
        return Err(refused(
            "authorizer.class.name",
            "access control lists are not supported yet",
        ));
    }
    if values.boolean("remote.log.storage.system.enable") {
        return Err(refused(
            "remote.log.storage.system.enable",
            "tiered storage is not supported yet",
        ));
    }
    Ok(())
}

/// The listeners for clients, and those of the controller.
fn listeners(values: &Values) -> Result<(Vec<Endpoint>, Vec<Endpoint>), SettingsError> {
    let of_controller = values.list("controller.listener.names");
    let listeners = endpoints("listeners", values.list("listeners"))?;
    let protocols: HashMap<&str, &str> = values
        .opt_text("listener.security.protocol.map")
        .unwrap_or_default()
        .split(',')
        .filter_map(|pair| pair.split_once(':'))
        .collect();
    let map_is_given = values.is_given("listener.security.protocol.map");
    for listener in &listeners {
        let name = listener.name.as_str();
        let protocol = match protocols.get(name) {
            Some(protocol) => protocol,
            // Without a map of one's own, controllers speak plain text.
            None if !map_is_given && of_controller.contains(&listener.name) => "PLAINTEXT",
            None => name,
        };
        if protocol != "PLAINTEXT" {
            let what =
                format!("{protocol} on listener {name} is not supported yet, only PLAINTEXT");
            return Err(refused("listeners", what));
        }
    }
    let (controllers, clients): (Vec<_>, Vec<_>) = listeners
        .into_iter()
        .partition(|listener| of_controller.contains(&listener.name));
    if clients.is_empty() {
        return Err(refused(
            "listeners",
            "at least one listener for clients is needed",
        ));
    }
    Ok((clients, controllers))
}

fn endpoints(key: &'static str, texts: &[String]) -> Result<Vec<Endpoint>, SettingsError> {
    let parse = |text: &String| {
        parse_endpoint(text).ok_or_else(|| refused(key, format!("{text} is not NAME://HOST:PORT")))
    };
    texts.iter().map(parse).collect()
}

fn parse_endpoint(text: &str) -> Option<Endpoint> {
    let (name, address) = text.trim().split_once("://")?;
    let (host, port) = address.rsplit_once(':')?;
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let name = name.to_ascii_uppercase();
    (!name.is_empty()).then_some(())?;
    Some(Endpoint {
        name,
        host: host.to_owned(),
        port: port.parse().ok()?,
    })
}

fn log_dirs(values: &Values) -> Result<Vec<PathBuf>, SettingsError> {
    let given = Some(values.list("log.dirs")).filter(|dirs| !dirs.is_empty());
    let mut dirs: Vec<PathBuf> = Vec::new();
    for dir in given.unwrap_or_else(|| values.list("log.dir")) {
        let dir = PathBuf::from(dir);
        if dir.as_os_str().is_empty() || dirs.contains(&dir) {
            return Err(refused("log.dirs", "a directory is empty or named twice"));
        }
        dirs.push(dir);
    }
    if dirs.is_empty() {
        return Err(refused("log.dirs", "at least one directory is needed"));
    }
    Ok(dirs)
}

fn metadata_log_dir(values: &Values, log_dirs: &[PathBuf]) -> PathBuf {
    match values.opt_text("metadata.log.dir") {
        Some(dir) => PathBuf::from(dir),
        None => log_dirs.first().cloned().unwrap_or_default(),
    }
}

/// `queued.max.request.bytes`; without it a quarter of the memory that this process may take, at most 512 MiB.
fn request_memory_bytes(values: &Values) -> usize {
    values
        .size("queued.max.request.bytes")
        .filter(|bytes| *bytes > 0)
        .unwrap_or_else(|| {
            let quarter =
                memory_limit::memory_bytes().map_or(DEFAULT_REQUEST_MEMORY_MAX, |bytes| bytes / 4);
            usize::try_from(quarter.min(DEFAULT_REQUEST_MEMORY_MAX)).unwrap_or(usize::MAX)
        })
}

fn connection_limits(values: &Values) -> Result<Limits, SettingsError> {
    let unlimited = i32::MAX as usize;
    let connections_max = values
        .size("max.connections")
        .filter(|max| *max < unlimited);
    let per_ip_max = values.size("max.connections.per.ip").unwrap_or(unlimited);
    let mut per_ip_overrides = HashMap::new();
    let key = "max.connections.per.ip.overrides";
    for pair in values
        .opt_text(key)
        .unwrap_or_default()
        .split(',')
        .filter(|pair| !pair.trim().is_empty())
    {
        let parsed = pair.trim().rsplit_once(':').and_then(|(ip, max)| {
            let ip: IpAddr = ip.trim().trim_matches(['[', ']']).parse().ok()?;
            Some((ip, max.trim().parse::<usize>().ok()?))
        });
        let (ip, max) = parsed.ok_or_else(|| {
            refused(
                "max.connections.per.ip.overrides",
                format!("{pair} is not ADDRESS:NUMBER"),
            )
        })?;
        per_ip_overrides.insert(ip, max);
    }
    let connections_max =
        connections_max.unwrap_or_else(|| default_connections_max(descriptors_max()));
    Ok(Limits {
        connections_max,
        per_ip_max,
        per_ip_overrides,
    })
}

/// Half of the descriptors: the logs need some too.
fn default_connections_max(descriptors_max: usize) -> usize {
    DEFAULT_CONNECTIONS_MAX.min(descriptors_max / 2)
}

/// What connections and everything else leave of the descriptors. An eighth is for everything else, which includes the
/// files that operations open for a moment.
fn log_files_max(descriptors_max: usize, connections_max: usize) -> usize {
    let connections = connections_max.min(descriptors_max / 2);
    let others = (descriptors_max / 8).max(DESCRIPTORS_OF_OTHERS_MIN);
    let files = descriptors_max.saturating_sub(connections.saturating_add(others));
    files.max(LOG_FILES_MIN)
}

/// How many descriptors the process may have.
fn descriptors_max() -> usize {
    let max = getrlimit(Resource::Nofile).current;
    max.and_then(|max| usize::try_from(max).ok())
        .unwrap_or(usize::MAX)
}

/// Takes all the descriptors that the process may have without asking anybody, as Java's runtime does.
pub(crate) fn raise_descriptors_max() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        warn!("the limit of open files stays where it is: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let pairs = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Settings::from_config(&BrokerConfig::load(pairs).unwrap())
    }

    #[test]
    fn without_any_configuration_one_node_listens_on_loopback() {
        let settings = settings(&[]).unwrap();
        assert_eq!(settings.node_id, BrokerId(1));
        assert_eq!(
            settings.listeners,
            [Endpoint {
                name: "PLAINTEXT".into(),
                host: "127.0.0.1".into(),
                port: 9092
            }]
        );
        assert!(settings.advertised.is_empty());
        assert!(settings.connection_limits.connections_max <= DEFAULT_CONNECTIONS_MAX);
        assert!(settings.request_memory_bytes as u64 <= DEFAULT_REQUEST_MEMORY_MAX);
    }

    #[test]
    fn descriptors_are_shared_between_connections_and_logs() {
        for (descriptors, connections, files) in [
            (256, 128, 80),
            (1024, 512, 384),
            (4096, 2048, 1536),
            (1 << 20, 10_000, (1 << 20) / 8 * 7 - 10_000),
        ] {
            let max = default_connections_max(descriptors);
            assert_eq!(max, connections);
            assert_eq!(log_files_max(descriptors, max), files);
        }
        assert_eq!(log_files_max(4096, 1_000_000), 1536);
    }

    #[test]
    fn the_listener_of_the_controller_is_none_for_clients() {
        let listeners = "PLAINTEXT://:9092,CONTROLLER://[::1]:9093,OTHER://host:1";
        let map = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,OTHER:PLAINTEXT";
        let settings = settings(&[
            ("listeners", listeners),
            ("listener.security.protocol.map", map),
        ])
        .unwrap();
        let names: Vec<&str> = settings
            .listeners
            .iter()
            .map(|listener| listener.name.as_str())
            .collect();
        assert_eq!(names, ["PLAINTEXT", "OTHER"]);
        assert_eq!(settings.controller_listeners.len(), 1);
        assert_eq!(settings.controller_listeners[0].host, "::1");
        assert_eq!(settings.listeners[0].host, "");
    }

    #[test]
    fn what_is_not_built_is_refused_with_its_key() {
        for (key, value) in [
            ("process.roles", "broker"),
            ("controller.quorum.voters", "1@a:1,2@b:1,3@c:1"),
            ("controller.quorum.voters", "2@b:1"),
            (
                "authorizer.class.name",
                "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            ),
            ("listeners", "SSL://:9093"),
            ("listeners", "SASL_PLAINTEXT://:9093"),
            ("listeners", "nonsense"),
            ("remote.log.storage.system.enable", "true"),
        ] {
            let error = settings(&[(key, value)]).unwrap_err().to_string();
            assert!(error.starts_with(key), "{key}={value}: {error}");
        }
        settings(&[("controller.quorum.voters", "1@localhost:9093")]).unwrap();
    }
}
