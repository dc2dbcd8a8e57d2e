//! What brokers run out of: space on disk, by their own account, and descriptors where the broker is on this machine.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::Instant;

use ottla_client::admin::{Admin, LogDir};
use ottla_protocol::types::BrokerId;

use super::report::{Diagnosis, Finding, Hop, Verdict};

/// Below this share of its directory a broker is soon full.
const SPACE_LOW_PERCENT: i64 = 10;
const SPACE_GONE_PERCENT: i64 = 1;

/// Above this share of its descriptors a broker soon takes no connections.
const DESCRIPTORS_HIGH_PERCENT: u64 = 80;

/// A broker with few partitions opens more than this.
const DESCRIPTORS_FEW: u64 = 4096;

pub(super) async fn look(admin: &Admin, brokers: &[i32], report: &mut Diagnosis) {
    let ids: Vec<BrokerId> = brokers.iter().copied().map(BrokerId).collect();
    let begun = Instant::now();
    // Of no topic: the directories themselves are asked for.
    match admin.describe_log_dirs(&ids, Some(&[])).await {
        Ok(answers) => {
            for (id, answer) in answers {
                let at = format!("broker {id}");
                match answer {
                    Ok(dirs) => {
                        for dir in &dirs {
                            report.add(space(&at, dir).took(begun.elapsed()));
                        }
                    }
                    Err(error) => report.add(untold(at, &error)),
                }
            }
        }
        Err(error) => report.add(untold("cluster", &error)),
    }
    for id in ids {
        let metadata = admin.cluster().metadata();
        let Some(broker) = metadata.broker(id) else {
            continue;
        };
        report.add(descriptors(id, &broker.endpoint.host, broker.endpoint.port));
    }
}

fn untold(at: impl ToString, error: &impl ToString) -> Finding {
    Finding::new(Hop::Disk, at, Verdict::Warning, error.to_string())
        .advice("nothing is known of the disks: a broker tells those who may Describe the cluster; look at the broker's log")
}

fn space(at: &str, dir: &LogDir) -> Finding {
    if let Some(error) = &dir.error {
        let found = format!("{} is offline: {error}", dir.path);
        let advice = "the broker serves none of its partitions: look at its log, and at the disk";
        return Finding::failed(Hop::Disk, at, found).advice(advice);
    }
    let (Some(total), Some(usable)) = (dir.total_bytes, dir.usable_bytes) else {
        let found = format!("{}: the broker does not say how much is free", dir.path);
        return Finding::new(Hop::Disk, at, Verdict::Skipped, found);
    };
    let percent = usable.saturating_mul(100) / total.max(1);
    let mib = |bytes: i64| bytes / (1024 * 1024);
    let found = format!(
        "{}: {} of {} MiB free ({percent} %)",
        dir.path,
        mib(usable),
        mib(total)
    );
    let advice = "delete topics or records, shorten retention.ms or retention.bytes, or add space";
    match percent {
        ..SPACE_GONE_PERCENT => Finding::failed(Hop::Disk, at, found).advice(advice),
        SPACE_GONE_PERCENT..SPACE_LOW_PERCENT => {
            Finding::new(Hop::Disk, at, Verdict::Warning, found).advice(advice)
        }
        _ => Finding::ok(Hop::Disk, at, found),
    }
}

fn descriptors(id: BrokerId, host: &str, port: u16) -> Finding {
    let at = format!("broker {id}");
    let is_here = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    let skipped = |found: &str| Finding::new(Hop::Limits, &at, Verdict::Skipped, found);
    if !is_here {
        return skipped("the broker is not on this machine");
    }
    let Some((open, limit)) = of_listener(port) else {
        return skipped("the broker's process cannot be seen from here");
    };
    judge(&at, open, limit)
}

fn judge(at: &str, open: u64, limit: u64) -> Finding {
    let found = format!("{open} of {limit} descriptors are open");
    let advice = "raise the limit of open files (`ulimit -n`, LimitNOFILE of systemd): each connection and each segment takes one";
    let warning = Finding::new(Hop::Limits, at, Verdict::Warning, found.clone()).advice(advice);
    match open.saturating_mul(100) / limit.max(1) >= DESCRIPTORS_HIGH_PERCENT {
        true => warning,
        false if limit < DESCRIPTORS_FEW => warning,
        false => Finding::ok(Hop::Limits, at, found),
    }
}

/// How many descriptors the process that listens at this port has open, and how many it may; only where the system tells.
fn of_listener(port: u16) -> Option<(u64, u64)> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let inode = tables
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .find_map(|table| listening(&table, port))?;
    let socket = format!("socket:[{inode}]");
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let open = descriptors_of(&process.path());
        if open.contains(&socket) {
            let limits = fs::read_to_string(process.path().join("limits")).ok()?;
            return Some((u64::try_from(open.len()).ok()?, open_files_max(&limits)?));
        }
    }
    None
}

fn descriptors_of(process: &Path) -> Vec<String> {
    let Ok(links) = fs::read_dir(process.join("fd")) else {
        return Vec::new();
    };
    let links = links
        .flatten()
        .filter_map(|link| fs::read_link(link.path()).ok());
    links
        .map(|link| link.to_string_lossy().into_owned())
        .collect()
}

/// The inode of the socket that listens at the port, from a table of the kernel's.
fn listening(table: &str, port: u16) -> Option<String> {
    const LISTEN: &str = "0A";
    let port = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let is_it = columns.get(1)?.ends_with(&port) && *columns.get(3)? == LISTEN;
        is_it.then(|| columns.get(9).map(|inode| (*inode).to_owned()))?
    })
}

fn open_files_max(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))?;
    match line.split_whitespace().nth(3)? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                     0: 0100007F:2384 0100007F:1111 01 00000000:00000000 00:00000000 00000000     0        0 7 1\n   \
                     1: 0100007F:2384 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1\n";
        assert_eq!(listening(table, 9092).as_deref(), Some("4711"));
        assert_eq!(listening(table, 9093), None);
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 524288               files\n";
        assert_eq!(open_files_max(limits), Some(1024));
    }

    #[test]
    fn little_space_is_a_warning_and_none_a_failure() {
        let dir = |usable: i64| LogDir {
            path: "/d".to_owned(),
            error: None,
            replicas: Vec::new(),
            total_bytes: Some(100 << 20),
            usable_bytes: Some(usable << 20),
        };
        let verdict = |usable| space("b", &dir(usable)).verdict;
        assert_eq!(
            [verdict(50), verdict(5), verdict(0)],
            [Verdict::Ok, Verdict::Warning, Verdict::Failed]
        );
    }

    #[test]
    fn few_descriptors_or_many_open_ones_are_a_warning() {
        let verdict = |open, limit| judge("b", open, limit).verdict;
        assert_eq!(verdict(10, 100_000), Verdict::Ok);
        assert_eq!(verdict(10, 1024), Verdict::Warning);
        assert_eq!(verdict(90_000, 100_000), Verdict::Warning);
    }
}
