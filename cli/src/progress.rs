//! A bar on standard error for work that takes long: only where a person looks at it, so that scripts, pipes and
//! recorded output never see one. What the context writes to standard error puts it aside meanwhile.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::context::Context;

/// Progress towards a known end, or nothing at all. It disappears when it is dropped.
pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// Counts bytes of a file.
    pub fn of_bytes(total: Option<u64>, cx: &Context) -> Self {
        Self::new(
            total,
            cx,
            "{bar:30} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left",
        )
    }

    /// Counts records up to a number that was asked for. Where the records themselves go to the terminal, they are
    /// progress enough.
    pub fn of_records(total: Option<u64>, cx: &Context) -> Self {
        let total = total.filter(|_| !cx.stdout_is_terminal);
        Self::new(
            total,
            cx,
            "{bar:30} {human_pos}/{human_len} records, {rate}, {eta} left",
        )
    }

    /// Counts records of a run whose figures come at its end, or between its lines.
    pub fn of_run(total: u64, cx: &Context) -> Self {
        Self::new(
            Some(total),
            cx,
            "{bar:30} {human_pos}/{human_len} records, {rate}, {eta} left",
        )
    }

    /// Counts partitions, or whatever takes a while each. Of a single one there is nothing to count.
    pub fn of_parts(total: usize, cx: &Context) -> Self {
        let total = u64::try_from(total).ok().filter(|total| *total > 1);
        Self::new(total, cx, "{bar:30} {human_pos}/{human_len}, {eta} left")
    }

    /// For work at which nobody looks.
    pub fn hidden() -> Self {
        Self(None)
    }

    /// Counts records without a known end.
    pub fn of_stream(cx: &Context) -> Self {
        if !cx.stderr_is_terminal {
            return Self::hidden();
        }
        Self::shown(None, cx, "{spinner} {human_pos} records, {rate}, {msg}")
    }

    fn new(total: Option<u64>, cx: &Context, template: &str) -> Self {
        match total {
            Some(total) if cx.stderr_is_terminal => Self::shown(Some(total), cx, template),
            _ => Self::hidden(),
        }
    }

    fn shown(total: Option<u64>, cx: &Context, template: &str) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(template) {
            // The bar's own rate has four digits behind the point.
            bar.set_style(style.with_key(
                "rate",
                |state: &ProgressState, f: &mut dyn fmt::Write| {
                    // Nobody reads the error: a string takes everything.
                    let _ = write!(f, "{}", rate(state.per_sec()));
                },
            ));
        }
        cx.bar.replace(bar.downgrade());
        Self(Some(bar))
    }

    /// So much is done. Cheap: most calls draw nothing.
    pub fn set(&self, done: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(done);
        }
    }

    /// One more is done.
    pub fn add_one(&self) {
        self.add(1);
    }

    /// So many more are done.
    pub fn add(&self, more: usize) {
        if let Some(bar) = &self.0 {
            bar.inc(u64::try_from(more).unwrap_or(0));
        }
    }

    /// So much is done, with a word about it.
    pub fn tell(&self, done: u64, message: &str) {
        if let Some(bar) = &self.0 {
            // The message is what draws both.
            bar.set_position(done);
            bar.set_message(message.to_owned());
        }
    }

    /// The bar goes; what is written from now on stands in its place.
    pub fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

/// As people read it: `75,336/s`.
fn rate(per_second: f64) -> String {
    match per_second {
        ..10.0 => format!("{per_second:.1}/s"),
        _ => format!("{}/s", HumanCount(per_second.round() as u64)),
    }
}

/// Size of standard input where it is a file.
pub fn stdin_bytes() -> Option<u64> {
    let file = File::from(io::stdin().as_fd().try_clone_to_owned().ok()?);
    let metadata = file.metadata().ok()?;
    metadata.is_file().then_some(metadata.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(stderr_is_terminal: bool, stdout_is_terminal: bool) -> Context {
        let mut cx = Context::of_process("kafka-thing");
        cx.stderr_is_terminal = stderr_is_terminal;
        cx.stdout_is_terminal = stdout_is_terminal;
        cx
    }

    #[test]
    fn a_rate_has_no_more_digits_than_tell_something() {
        assert_eq!(rate(75_336.36), "75,336/s");
        assert_eq!(rate(0.25), "0.2/s");
    }

    #[test]
    fn there_is_a_bar_only_for_a_known_end_and_a_person_who_looks() {
        let shown = |progress: Progress| progress.0.is_some();
        assert!(shown(Progress::of_bytes(Some(9), &context(true, true))));
        assert!(!shown(Progress::of_bytes(None, &context(true, true))));
        assert!(!shown(Progress::of_bytes(Some(9), &context(false, true))));
        assert!(shown(Progress::of_records(Some(9), &context(true, false))));
        assert!(!shown(Progress::of_records(Some(9), &context(true, true))));
        assert!(shown(Progress::of_stream(&context(true, true))));
        assert!(!shown(Progress::of_stream(&context(false, true))));
    }
}
