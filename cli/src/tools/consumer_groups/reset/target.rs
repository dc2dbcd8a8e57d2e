//! Where to move the offsets.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use ottla_client::admin::{Admin, NewOffset, TopicPartition};
use ottla_protocol::errors::ErrorCode;

use super::super::args::Args;
use super::super::describe;
use super::super::ended::{Ended, Problem, Wrapped};
use super::super::partitions;
use super::undo::UndoFile;
use super::{Move, NewOffsets, file, log, tell, time, undo};
use crate::connect;
use crate::context::Context;
use crate::jopt;
use crate::output::Format;
use crate::stop::{Failure, Stop};
use crate::table::visible;

#[derive(Debug, PartialEq)]
pub(in super::super) enum Target {
    Earliest,
    Latest,
    /// The committed offset, the end where there is none.
    Current,
    Offset(i64),
    ShiftBy(i64),
    /// The first record from this time on, in milliseconds since 1970.
    Time(i64),
    /// What it was before a reset.
    Undo(UndoFile),
    File {
        path: PathBuf,
        /// Whether rows may leave the group out, because there is just one.
        is_only: bool,
    },
}

impl Target {
    /// Exactly one is given.
    pub(in super::super) fn of(args: &Args) -> Result<Self, Ended> {
        if let Some(path) = jopt::one("undo", &args.undo)? {
            return Ok(Self::Undo(UndoFile::read(Path::new(path))?));
        }
        let shift_by = jopt::number("shift-by", &args.shift_by)?;
        // The reference takes the first of these where they are repeated.
        let first =
            |name, values: &[String]| jopt::number(name, values.get(..1).unwrap_or_default());
        let to_offset = first("to-offset", &args.to_offset)?;
        let duration = jopt::one("by-duration", &args.by_duration)?;
        let datetime = args.to_datetime.first();
        Ok(if let Some(offset) = to_offset {
            Self::Offset(offset)
        } else if let Some(count) = shift_by {
            Self::ShiftBy(count)
        } else if let Some(text) = duration {
            let now_ms = Timestamp::now().as_millisecond();
            // Before 1970 is before every record; negative numbers mean other things to brokers.
            Self::Time(now_ms.saturating_sub(time::duration_ms(text)?).max(0))
        } else if let Some(text) = datetime {
            Self::Time(time::datetime_ms(text)?.max(0))
        } else if let Some(path) = args.from_file.first() {
            let path = path.into();
            let is_only = args.group.len() == 1;
            Self::File { path, is_only }
        } else if args.to_earliest {
            Self::Earliest
        } else if args.to_latest {
            Self::Latest
        } else {
            Self::Current
        })
    }

    /// What is to become of a group's offsets. All partitions exist and have a leader; a file names its own.
    pub(super) async fn moves(
        &self,
        group: &str,
        partitions: Vec<TopicPartition>,
        format: Format,
        admin: &Admin,
        cx: &mut Context,
    ) -> Result<Vec<Move>, Ended> {
        let offsets = match self {
            Self::Undo(file) => return undone(file.steps(group), admin, cx).await,
            Self::Earliest => log::earliest(&partitions, admin).await?,
            Self::Latest => log::latest(&partitions, admin).await?,
            Self::Time(time_ms) => log::at_time(*time_ms, &partitions, format, admin, cx).await?,
            Self::Offset(offset) => {
                let asked = partitions.into_iter().map(|at| (at, *offset)).collect();
                log::within(asked, admin, cx).await?
            }
            Self::ShiftBy(count) => {
                let asked = shifted(*count, group, partitions, admin).await?;
                log::within(asked, admin, cx).await?
            }
            Self::Current => current(group, partitions, admin).await?,
            Self::File { path, is_only } => {
                let asked = file::read(path, group, *is_only)?;
                if asked.is_empty() {
                    let none = format!("Error: No reset plan for group {} found", visible(group));
                    tell(none, format, cx)?;
                    return Ok(Vec::new());
                }
                check_rows(&asked, admin).await?;
                log::within(asked, admin, cx).await?
            }
        };
        let to = |(at, offset)| Move {
            at,
            from: None,
            to: Some(NewOffset::at(offset)),
        };
        Ok(offsets.into_iter().map(to).collect())
    }
}

/// What a file asks for has to be offsets of partitions that exist.
async fn check_rows(asked: &NewOffsets, admin: &Admin) -> Result<(), Ended> {
    if let Some((at, offset)) = asked.iter().find(|(_, offset)| *offset < 0) {
        let wrong = format!("Invalid negative offset: {offset} for partition {at}");
        return Err(Stop::Usage(wrong).into());
    }
    let partitions: Vec<TopicPartition> = asked.iter().map(|(at, _)| at.clone()).collect();
    let found = partitions::find(&partitions, admin).await?;
    let Some((topic, error)) = &found.unknown else {
        return Ok(super::check_found(found, admin).await.map(drop)?);
    };
    let mut of_topic = found.missing.iter().filter(|at| at.topic == *topic);
    let at = of_topic.next().map(ToString::to_string).unwrap_or_default();
    let text = format!(
        "Failed to fetch metadata for partition {at} because metadata for topic `{topic}` could not be found"
    );
    Err(Problem {
        sentence: Wrapped::Twice.sentence(&connect::class(error.code), &text),
        failure: Failure::new(text).hint("kafka-topics --list shows the topics there are."),
        code: Some(error.code),
    }
    .into())
}

/// Back to what was before, as near as the logs still have it. A partition that is gone has taken its offset with it, and keeps
/// none of the others from going back.
async fn undone(steps: &[undo::Step], admin: &Admin, cx: &mut Context) -> Result<Vec<Move>, Ended> {
    let partitions: Vec<TopicPartition> = steps.iter().map(|step| step.at.clone()).collect();
    let mut found = partitions::find(&partitions, admin).await?;
    found
        .unknown
        .take_if(|(_, error)| error.code == ErrorCode::UnknownTopicOrPartition);
    let gone = match found.unknown {
        None => std::mem::take(&mut found.missing),
        Some(_) => Vec::new(),
    };
    super::check_found(found, admin).await?;
    for at in &gone {
        cx.warn(format!("{at} is left out: it does not exist any more."));
    }
    let steps = || steps.iter().filter(|step| !gone.contains(&step.at));
    let offset = |step: &undo::Step| Some((step.at.clone(), step.before.as_ref()?.offset));
    let asked: NewOffsets = steps().filter_map(offset).collect();
    let mut nearest = log::within(asked, admin, cx).await?.into_iter();
    let mut moves = Vec::new();
    for undo::Step { at, before, .. } in steps() {
        let to = match before {
            None => None,
            // The answers are in the order of the question.
            Some(before) => nearest.next().map(|(_, offset)| NewOffset {
                offset,
                leader_epoch: before.leader_epoch.filter(|_| offset == before.offset),
                metadata: before.metadata.clone(),
            }),
        };
        moves.push(Move {
            at: at.clone(),
            from: None,
            to,
        });
    }
    Ok(moves)
}

async fn shifted(
    count: i64,
    group: &str,
    partitions: Vec<TopicPartition>,
    admin: &Admin,
) -> Result<NewOffsets, Ended> {
    let committed = describe::committed(group, admin).await?;
    let mut asked = Vec::with_capacity(partitions.len());
    for at in partitions {
        let Some(from) = committed.get(&at) else {
            let cannot = format!("Cannot shift offset for partition {at}");
            return Err(Stop::Usage(format!(
                "{cannot} since there is no current committed offset"
            ))
            .into());
        };
        asked.push((at, from.offset.saturating_add(count)));
    }
    Ok(asked)
}

async fn current(
    group: &str,
    partitions: Vec<TopicPartition>,
    admin: &Admin,
) -> Result<NewOffsets, Ended> {
    let committed = describe::committed(group, admin).await?;
    let (with, without): (Vec<_>, Vec<_>) = partitions
        .into_iter()
        .partition(|at| committed.contains_key(at));
    let offset = |at: TopicPartition| Some((at.clone(), committed.get(&at)?.offset));
    let mut offsets: NewOffsets = with.into_iter().filter_map(offset).collect();
    offsets.extend(log::latest(&without, admin).await?);
    Ok(offsets)
}

impl From<time::NoTime> for Ended {
    fn from(error: time::NoTime) -> Self {
        Problem {
            sentence: error.sentence,
            failure: Failure::new(error.plainly).hint(error.hint),
            code: None,
        }
        .into()
    }
}
