//! How much memory this process may take: the machine's, or what its control groups allow, whichever is less.
//!
//! Both versions of control groups are looked at, the process's own group and all above it; what cannot be read limits
//! nothing.

use std::fs;
use std::path::{Path, PathBuf};

const GROUPS: &str = "/sys/fs/cgroup";

/// Bytes; none where nobody says.
pub(crate) fn memory_bytes() -> Option<u64> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let groups = limits(&own, Path::new(GROUPS)).into_iter();
    groups.chain(physical_bytes()).min()
}

fn physical_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// `own` is what /proc/self/cgroup says: lines `4:memory:/a/b` of the first version, `0::/a/b` of the second.
fn limits(own: &str, root: &Path) -> Vec<u64> {
    let mut files: Vec<PathBuf> = Vec::new();
    for line in own.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
            continue;
        };
        let (folder, file) = if controllers.is_empty() {
            (root.to_owned(), "memory.max")
        } else if controllers.split(',').any(|name| name == "memory") {
            (root.join("memory"), "memory.limit_in_bytes")
        } else {
            continue;
        };
        let above = Path::new(path.trim_start_matches('/')).ancestors();
        files.extend(above.map(|group| folder.join(group).join(file)));
    }
    let read = |file: &PathBuf| fs::read_to_string(file).ok()?.trim().parse().ok();
    files.iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S-29: with a quarter of the machine's memory for requests, a broker in a small group was killed.
    #[test]
    fn the_groups_of_both_versions_and_those_above_them_count() {
        let root = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("memory/a/memory.limit_in_bytes", "1000\n");
        write("memory/a/b/memory.limit_in_bytes", "9223372036854771712\n");
        write("c/memory.max", "500\n");
        write("c/d/memory.max", "max\n");
        let smallest = |own: &str| limits(own, root.path()).into_iter().min();
        assert_eq!(smallest("7:blkio:/\n4:memory:/a/b\n"), Some(1000));
        assert_eq!(smallest("0::/c/d\n"), Some(500));
        assert_eq!(smallest("0::/\n5:cpu,cpuacct:/a\nnonsense\n"), None);
        assert!(memory_bytes().is_some_and(|bytes| bytes > 0));
    }
}
