//! From a configuration to a serving broker, and back to a quiet directory.
//!
//! Always: when `serve` returns, everything that was taken in is on disk and the directories carry the mark of a clean
//! shutdown, unless it returns an error. A stop takes `STOP_MAX` at most; a second signal ends the process at once.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use arc_swap::ArcSwap;
use ottla_config::resolve::BrokerConfig;
use ottla_coordination::controller;
use ottla_coordination::fetch_session::FetchSessions;
use ottla_log::LogConfig;
use ottla_protocol::types::Millis;
use parking_lot::Mutex;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tracing::{info, warn};

use crate::broker::Broker;
use crate::clock;
use crate::data_dirs::{self, DataDirs, Identity};
use crate::exec::config_rules::Rules;
use crate::exec::controller::ControllerHost;
use crate::exec::groups::Groups;
use crate::exec::log_dirs::LogDirs;
use crate::exec::metadata_log::MetadataLog;
use crate::exec::moves::{self, Moves};
use crate::exec::producer_ids::ProducerIds;
use crate::exec::transactions::Transactions;
use crate::exec::{Storage, dir_failures, features, leftovers, registration};
use crate::log_limits::LogLimits;
use crate::loggers::Loggers;
use crate::net::{Gate, Listener, MemoryPool, Role};
use crate::settings::{self, Endpoint, Settings};

/// How long connections may take to finish when the server stops.
const CONNECTIONS_STOP_MAX: Duration = Duration::from_millis(1000);

/// How long a fetch session is safe from being replaced by another.
const FETCH_SESSION_SAFE_MS: i64 = 120_000;

/// What a server says once it answers.
#[derive(Clone, Debug)]
pub struct Started {
    pub listeners: Vec<(String, SocketAddr)>,
    pub data_dirs: Vec<PathBuf>,
    pub cluster_id: String,
    pub node_id: i32,
}

/// Runs a broker until a signal or a failure ends it. It answers while `on_ready` runs, and ends where that fails.
pub async fn serve(
    config: BrokerConfig,
    loggers: Loggers,
    on_ready: impl AsyncFnOnce(&Started) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    settings::raise_descriptors_max();
    let settings = Settings::from_config(&config)?;
    for key in config.settings().unknown() {
        warn!("configuration key {key} is not known and has no effect");
    }
    // A port in use is found out before anything is written.
    let listeners = bind(&settings)?;
    let data = data_dirs::open(&settings)?;
    let mut server = Server::start(config, settings, loggers, data, listeners)?;
    let started = server.started.clone();
    let serving = async {
        on_ready(&started).await?;
        std::future::pending().await
    };
    let outcome = tokio::select! {
        signal = signals.next() => {
            info!(signal, "stopping");
            Ok(())
        }
        Some(why) = server.fatal.recv() => Err(anyhow::anyhow!(why)),
        failed = serving => failed,
    };
    tokio::select! {
        stopped = server.stop() => stopped?,
        _ = signals.next() => std::process::exit(1),
    }
    outcome
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// The listeners for clients, and behind them those of the controller.
pub(crate) fn bind(settings: &Settings) -> anyhow::Result<Vec<Listener>> {
    let buffer = settings.socket_send_buffer_bytes;
    let mut listeners = bind_as(Role::Broker, &settings.listeners, buffer)?;
    let others = bind_as(Role::Controller, &settings.controller_listeners, buffer)?;
    listeners.extend(others);
    Ok(listeners)
}

fn bind_as(
    role: Role,
    endpoints: &[Endpoint],
    send_buffer_bytes: Option<usize>,
) -> anyhow::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    for endpoint in endpoints {
        let host = if endpoint.host.is_empty() {
            "::"
        } else {
            &endpoint.host
        };
        let what = || format!("cannot listen on {}:{}", endpoint.host, endpoint.port);
        let addresses: Vec<SocketAddr> = (host, endpoint.port)
            .to_socket_addrs()
            .with_context(what)?
            .collect();
        let Some(address) = addresses
            .iter()
            .find(|address| address.is_ipv4())
            .or(addresses.first())
        else {
            bail!("{}: the name has no address", what());
        };
        let bind = |address| Listener::bind(&endpoint.name, role, address, send_buffer_bytes);
        let mut bound = bind(*address);
        if bound.is_err() && endpoint.host.is_empty() {
            // A machine without IPv6.
            bound = bind(SocketAddr::from(([0, 0, 0, 0], endpoint.port)));
        }
        let listener = bound.with_context(what)?;
        if !address.ip().is_loopback() {
            warn!(%address, "everybody who reaches this address may read, write and delete: there is no authentication");
        }
        listeners.push(listener);
    }
    Ok(listeners)
}

/// A broker that serves.
pub(crate) struct Server {
    pub(crate) broker: Arc<Broker>,
    pub(crate) started: Started,
    stopping: watch::Sender<bool>,
    accepting: JoinSet<()>,
    /// Fires the timers of coordinators.
    timers: JoinHandle<()>,
    bell: JoinHandle<()>,
    /// Sees to failed log directories.
    failures: JoinHandle<()>,
    keeper: Option<std::thread::JoinHandle<()>>,
    fatal: mpsc::UnboundedReceiver<String>,
    _locks: Vec<ottla_log::dir_lock::DirLock>,
}

impl Server {
    pub(crate) fn start(
        config: BrokerConfig,
        mut settings: Settings,
        loggers: Loggers,
        data: DataDirs,
        listeners: Vec<Listener>,
    ) -> anyhow::Result<Self> {
        let mut addresses = Vec::new();
        for listener in &listeners {
            let (name, address) = (listener.name(), listener.local_addr()?);
            match listener.role() {
                Role::Broker => addresses.push((name.to_owned(), address)),
                // Others are told the port that was found where none was named.
                Role::Controller => {
                    let mut named = settings.controller_listeners.iter_mut();
                    if let Some(endpoint) = named.find(|endpoint| endpoint.name == name) {
                        endpoint.port = address.port();
                    }
                }
            }
        }
        let (fatal_sender, fatal) = mpsc::unbounded_channel();
        let dirs = LogDirs::new(data.dirs, fatal_sender);
        let storage = Arc::new(Storage::new(dirs).with_open_files(data.open_files));
        let broker = assemble(config, settings, loggers, data.identity, storage.clone())?;
        let known = broker.controller.image().unwrap_or_default();
        leftovers::refuse_duplicates(&storage, &known)?;
        moves::promote_whole(&storage, &known);
        registration::register(&broker, &addresses)?;
        dir_failures::report_missing(&broker);
        leftovers::clear(&storage, &broker.image.load());
        moves::resume(&broker);
        storage
            .recovery
            .start(&storage, broker.settings.recovery_threads_per_dir);
        let timers = tokio::spawn(watch_timers(&broker));
        let bell = tokio::spawn({
            let storage = storage.clone();
            async move { storage.bell.watch().await }
        });
        let failures = tokio::spawn(dir_failures::watch(broker.clone()));
        let (pace, configured) = (broker.settings.keeper_pace, broker.clone());
        let keeper = std::thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || {
                let expiration = || configured.producer_expiration();
                storage.keeper.run(&storage, pace, expiration);
            })?;
        let storage = &broker.storage;
        storage.cleaner.start(storage, broker.cleaner_settings());
        let (stopping, stop) = watch::channel(false);
        let gate = Gate::new(broker.settings.connection_limits.clone());
        let memory = MemoryPool::new(broker.settings.request_memory_bytes);
        let mut started = Started {
            listeners: Vec::new(),
            data_dirs: broker.settings.log_dirs.clone(),
            cluster_id: broker.identity.cluster_id.clone(),
            node_id: broker.identity.node_id.0,
        };
        let mut accepting = JoinSet::new();
        for listener in listeners {
            let address = listener.local_addr()?;
            info!(listener = listener.name(), %address, "listening");
            started
                .listeners
                .push((listener.name().to_owned(), address));
            accepting.spawn(listener.run(
                broker.clone(),
                gate.clone(),
                memory.clone(),
                stop.clone(),
            ));
        }
        Ok(Self {
            broker,
            started,
            stopping,
            accepting,
            timers,
            bell,
            failures,
            keeper: Some(keeper),
            fatal,
            _locks: data.locks,
        })
    }

    /// Ends connections, then brings everything to disk.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        self.stopping.send_replace(true);
        let ended = async { while self.accepting.join_next().await.is_some() {} };
        if tokio::time::timeout(CONNECTIONS_STOP_MAX, ended)
            .await
            .is_err()
        {
            self.accepting.abort_all();
        }
        self.timers.abort();
        self.bell.abort();
        self.failures.abort();
        self.broker.transactions.end().await;
        let broker = self.broker.clone();
        let storage = self.broker.storage.clone();
        storage.keeper.stop();
        let keeper = self.keeper.take();
        tokio::task::spawn_blocking(move || {
            storage.cleaner.stop();
            if let Some(keeper) = keeper {
                drop(keeper.join());
            }
            broker.moves.stop();
            broker.groups.close();
            broker.controller.close(&broker);
            storage.close();
        })
        .await?;
        info!("stopped");
        Ok(())
    }
}

/// Fires the timers of all machines and parked requests until the server stops.
fn watch_timers(broker: &Broker) -> impl Future<Output = ()> + Send + 'static {
    let groups = broker.groups.watch_timers();
    let transactions = broker.transactions.watch_timers();
    let requests = broker.deadlines.clone();
    async move {
        tokio::join!(groups, transactions, requests.watch());
    }
}

/// Everything behind the sockets, with the metadata loaded and not yet shown to anybody.
pub(crate) fn assemble(
    config: BrokerConfig,
    settings: Settings,
    loggers: Loggers,
    identity: Identity,
    storage: Arc<Storage>,
) -> anyhow::Result<Arc<Broker>> {
    let config = Arc::new(ArcSwap::from_pointee(config));
    let controller = open_controller(&config, &storage, &settings)?;
    Ok(Arc::new_cyclic(|broker| Broker {
        groups: Groups::new(&config.load()),
        transactions: Transactions::new(broker.clone(), &config.load()),
        identity,
        storage,
        config,
        controller,
        image: ArcSwap::default(),
        producer_ids: ProducerIds::default(),
        fetch_sessions: Mutex::new(FetchSessions::new(
            settings.fetch_sessions_max,
            FETCH_SESSION_SAFE_MS,
        )),
        deadlines: Arc::default(),
        log_limits: LogLimits::default(),
        loggers,
        moves: Moves::default(),
        settings,
    }))
}

/// The controller on the metadata log, which is opened and read.
fn open_controller(
    config: &Arc<ArcSwap<BrokerConfig>>,
    storage: &Storage,
    settings: &Settings,
) -> anyhow::Result<ControllerHost> {
    let in_force = config.load();
    let values = in_force.settings();
    let log_config = LogConfig {
        segment_bytes: values.size("metadata.log.segment.bytes").unwrap_or(0) as u64,
        segment_ms: Millis(values.number("metadata.log.segment.ms")),
        // What snapshots stand for goes with them, nothing else ever.
        retention_ms: Millis(-1),
        ..LogConfig::default()
    };
    let dir = storage.dirs.metadata_dir();
    let (log, image) = MetadataLog::open(dir, settings.node_id, log_config, clock::now())?;
    let number = |key: &str| values.number(key);
    let limits = controller::Settings {
        partition_count_default: i32::try_from(number("num.partitions")).unwrap_or(1),
        replication_factor_default: i16::try_from(number("default.replication.factor"))
            .unwrap_or(1),
        min_insync_replicas: i16::try_from(number("min.insync.replicas")).unwrap_or(1),
        node_id: settings.node_id,
        features: features::ranges(),
        partitions_max: usize::try_from(number("ottla.partitions.max")).unwrap_or(usize::MAX),
        ..Default::default()
    };
    let snapshot_bytes = values.size("metadata.log.max.record.bytes.between.snapshots");
    let snapshot_bytes = snapshot_bytes.unwrap_or(0) as u64;
    Ok(ControllerHost::new(
        log,
        image,
        limits,
        Rules::new(config.clone()),
        snapshot_bytes,
    ))
}
