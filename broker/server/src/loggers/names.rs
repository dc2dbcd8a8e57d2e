//! Which part of the broker each logger's name stands for.
//!
//! Always: names are unique and sorted, and every module that logs belongs to one of them.

/// Above all others.
pub(super) const ROOT: &str = "root";

/// By name: what is logged there comes from these modules, and those below them that are no logger of their own.
pub(super) const LOGGERS: &[(&str, &[&str])] = &[
    ("kafka", &[]),
    (
        "kafka.cluster.Partition",
        &["ottla_server::exec::partition"],
    ),
    (
        "kafka.network.SocketServer",
        &["ottla_server::net", "ottla_server::log_limits"],
    ),
    (
        "kafka.server.DynamicBrokerConfig",
        &["ottla_server::broker"],
    ),
    ("kafka.server.KafkaApis", &["ottla_server::api"]),
    (
        "kafka.server.KafkaRaftServer",
        &[
            "ottla_server::boot",
            "ottla_server::data_dirs",
            "ottla_server::settings",
        ],
    ),
    (
        "kafka.server.ReplicaAlterLogDirsManager",
        &["ottla_server::exec::moves"],
    ),
    (
        "kafka.server.ReplicaManager",
        &[
            "ottla_server::exec::dir_failures",
            "ottla_server::exec::log_dirs",
            "ottla_server::exec::publish",
        ],
    ),
    (
        "kafka.server.logger.RuntimeLoggerManager",
        &["ottla_server::loggers"],
    ),
    ("org.apache.kafka", &[]),
    ("org.apache.kafka.clients", &["ottla_client"]),
    (
        "org.apache.kafka.controller.QuorumController",
        &["ottla_server::exec::controller"],
    ),
    (
        "org.apache.kafka.coordinator.common.runtime.CoordinatorRuntime",
        &["ottla_server::exec::shard"],
    ),
    (
        "org.apache.kafka.image.publisher.SnapshotGenerator",
        &["ottla_server::exec::metadata_snapshot"],
    ),
    (
        "org.apache.kafka.raft.KafkaRaftClient",
        &["ottla_server::exec::metadata_log"],
    ),
    (
        "org.apache.kafka.storage.internals.log.LogCleaner",
        &["ottla_server::exec::cleaner"],
    ),
    (
        "org.apache.kafka.storage.internals.log.LogLoader",
        &["ottla_server::exec::recovery"],
    ),
    (
        "org.apache.kafka.storage.internals.log.LogManager",
        &["ottla_server::exec"],
    ),
    (
        "org.apache.kafka.storage.internals.log.ProducerStateManager",
        &["ottla_server::exec::producers"],
    ),
    (
        "org.apache.kafka.storage.internals.log.TransactionIndex",
        &["ottla_server::exec::txn_indexes"],
    ),
];

pub(super) fn all() -> impl Iterator<Item = &'static str> {
    [ROOT]
        .into_iter()
        .chain(LOGGERS.iter().map(|(name, _)| *name))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Names are unique and sorted, and modules are there: none was renamed without its logger.
    #[test]
    fn every_module_that_logs_belongs_to_a_logger() {
        assert!(LOGGERS.is_sorted_by(|a, b| a.0 < b.0));
        let modules: Vec<&str> = LOGGERS
            .iter()
            .flat_map(|(_, modules)| *modules)
            .copied()
            .collect();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        for path in modules
            .iter()
            .filter_map(|module| module.strip_prefix("ottla_server::"))
        {
            let path = source.join(path.replace("::", "/"));
            assert!(
                path.is_dir() || path.with_extension("rs").is_file(),
                "{}",
                path.display()
            );
        }
        let mut folders = vec![(source, "ottla_server".to_owned())];
        while let Some((folder, module)) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("a folder").flatten() {
                let path = entry.path();
                let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                let own = format!("{module}::{stem}");
                if path.is_dir() {
                    folders.push((path, own));
                    continue;
                }
                let text = fs::read_to_string(&path).expect("a source");
                let logs = ["error!(", "warn!(", "info!(", "debug!(", "trace!("];
                let belongs = modules.iter().any(|module| own.starts_with(module));
                assert!(
                    belongs || !logs.iter().any(|macro_| text.contains(macro_)),
                    "{own}"
                );
            }
        }
    }
}
