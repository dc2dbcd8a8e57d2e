//! What the reference's runtime does with names, numbers and files, where it shows in the output.

use std::fmt;
use std::path::Path;

use ottla_cli::{Failure, Stop};
use ottla_log::disk::{Disk as _, OpenMode, SharedFile};

/// A path as `java.io.File` keeps it: no doubled and no trailing slashes.
#[derive(Clone, Debug)]
pub(super) struct JavaFile(String);

impl fmt::Display for JavaFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JavaFile {
    pub(super) fn new(path: &str) -> Self {
        let mut normal = String::with_capacity(path.len());
        for c in path.chars() {
            if c != '/' || !normal.ends_with('/') {
                normal.push(c);
            }
        }
        if normal.len() > 1 && normal.ends_with('/') {
            normal.pop();
        }
        Self(normal)
    }

    /// The part behind the last slash.
    pub(super) fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    pub(super) fn absolute(&self) -> String {
        std::path::absolute(&self.0).map_or_else(|_| self.0.clone(), |p| p.display().to_string())
    }

    /// The last dot and what follows it.
    pub(super) fn suffix(&self) -> &str {
        let name = self.name();
        name.rfind('.').map_or("", |dot| &name[dot..])
    }

    /// The offset that the name begins with.
    pub(super) fn base_offset(&self) -> Result<i64, Stop> {
        parse_long(self.stem())
    }

    fn stem(&self) -> &str {
        self.name().split('.').next().unwrap_or_default()
    }

    /// Another file of the same segment.
    pub(super) fn sibling(&self, suffix: &str) -> Self {
        let folder = &self.0[..self.0.len() - self.name().len()];
        Self(format!("{folder}{}{suffix}", self.stem()))
    }

    pub(super) fn path(&self) -> &Path {
        Path::new(&self.0)
    }

    /// Opens for reading; a folder is refused as a file that is not there.
    pub(super) fn open(&self) -> Result<(SharedFile, u64), Stop> {
        let opened = ottla_log::RealDisk
            .open(self.path(), OpenMode::Read)
            .and_then(|file| file.len().map(|len| (file, len)));
        opened.map_err(|error| self.failed(&error))
    }

    /// `open`, for a log: the reference's positions are 31 bits wide.
    pub(super) fn open_log(&self) -> Result<(SharedFile, u64), Stop> {
        let (file, len) = self.open()?;
        if len > i32::MAX as u64 {
            let max = i32::MAX;
            return Err(Stop::failed(format!(
                "The size of segment {self} ({len}) is larger than the maximum allowed segment size of {max}"
            )));
        }
        Ok((file, len))
    }

    pub(super) fn failed(&self, error: &std::io::Error) -> Stop {
        Stop::failed(format!("{self}: {error}"))
    }
}

/// `Long.parseLong`.
pub(super) fn parse_long(text: &str) -> Result<i64, Stop> {
    text.parse().map_err(|_| {
        Failure::new(format!("For input string: \"{text}\""))
            .hint("The name of a segment's file begins with its first offset, as in 00000000000000000000.log.")
            .into()
    })
}

/// `String.split`: empty parts at the end are dropped.
pub(super) fn split(text: &str, at: char) -> impl Iterator<Item = &str> {
    let kept = if text.is_empty() {
        text
    } else {
        text.trim_end_matches(at)
    };
    // Nothing but separators has no parts at all.
    let none = kept.is_empty() && !text.is_empty();
    kept.split(at).filter(move |_| !none)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lists_and_numbers_are_taken_as_java_takes_them() {
        let file = JavaFile::new("a//b///00000000000000000042.log/");
        assert_eq!(file.to_string(), "a/b/00000000000000000042.log");
        assert_eq!(file.name(), "00000000000000000042.log");
        assert_eq!(file.suffix(), ".log");
        assert_eq!(file.base_offset().unwrap(), 42);
        assert_eq!(
            file.sibling(".index").to_string(),
            "a/b/00000000000000000042.index"
        );
        assert!(JavaFile::new("none.log").base_offset().is_err());
        assert_eq!(JavaFile::new("a.b/none").suffix(), "");
        let parts = |text| split(text, ',').collect::<Vec<_>>();
        assert_eq!(parts("a,,b,,"), ["a", "", "b"]);
        assert_eq!(parts(",a"), ["", "a"]);
        assert_eq!(parts(""), [""]);
        assert!(parts(",,").is_empty());
    }
}
