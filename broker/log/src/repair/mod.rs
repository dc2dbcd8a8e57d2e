//! Making a damaged partition whole again, with everything that is taken out kept aside.
//!
//! Owns: what is to be done about a report of `verify` (`plan`), doing it to segments (`segment`) and to what is derived
//! from them (`derived`), and to the checkpoints of the directory (`checkpoints`).
//! Always: bytes are copied to the folder aside, durably, before they go; offsets that are lost are stood in for by empty
//! batches, as the cleaner leaves them, so that the log opens everywhere and says what is missing; a repair that was
//! interrupted at any point can be begun again. Not here: locks, showing the plan, the name of the folder aside.

mod aside;
mod checkpoints;
mod derived;
mod plan;
mod segment;

use std::path::Path;
use std::sync::Arc;

use ottla_protocol::types::{Millis, Offset};

use crate::api::OpenInput;
use crate::config::LogConfig;
use crate::disk::{DiskError, SharedDisk};
use crate::errors::OpenError;
use crate::log::Log;
use crate::verify::{Expected, PartitionReport};
use aside::Aside;

pub use checkpoints::repair_checkpoints;
pub use plan::{Step, plan};

#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Does the steps that `plan` has made of a report, in their order. `aside` is a folder for this partition alone.
pub fn repair(
    disk: &SharedDisk,
    dir: &Path,
    expected: &Expected,
    report: &PartitionReport,
    aside: &Path,
    config: &Arc<LogConfig>,
) -> Result<(), RepairError> {
    let steps = plan(report);
    if steps.is_empty() {
        return Ok(());
    }
    let aside = Aside::new(disk.as_ref(), dir, aside)?;
    let old = derived::read_aborted(disk.as_ref(), dir)?;
    segment::repair(disk.as_ref(), dir, &aside, &steps)?;
    for step in &steps {
        if let Step::SetAside { file, .. } = step {
            aside.take(file)?;
        }
    }
    // Opening verifies everything that is left and makes indexes and epochs anew.
    let start = expected.log_start.filter(|start| *start <= report.log_end);
    let input = OpenInput {
        recovery_point: Offset::ZERO,
        log_start: start.unwrap_or(Offset::ZERO),
        clean_shutdown: false,
    };
    let (log, _) = Log::open(disk.clone(), dir, config.clone(), input, Millis(0))?;
    let end = log.close()?;
    derived::rebuild(disk.as_ref(), dir, &aside, &old, end, report)?;
    Ok(())
}
