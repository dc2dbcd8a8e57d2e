//! Shows the offsets of groups again and again: as a page that is redrawn on a terminal, as lines elsewhere.
//!
//! Always: what is wrong at the first look ends the tool; later a broker that does not answer is shown and waited for.
//! Ctrl-C is how it ends, with status 0, and leaves the terminal as it was with the last page on it.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use ottla_client::admin::{Admin, TopicPartition};

use super::describe::{self, Seen};
use super::ended::Ended;
use super::plan::Description;
use super::record_times::RecordTimes;
use crate::context::Context;
use crate::output::Format;
use crate::rates::{GROUPS_WINDOW, History, Rates};
use crate::signals::Signals;
use crate::stop::Stop;

mod page;
mod screen;

use screen::Screen;

/// A look at the groups, with the rates of each row where they are known.
#[derive(Debug)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    pub(super) seen: Vec<Seen>,
    /// Beside the rows of each group.
    pub(super) rates: Vec<Vec<Option<Rates>>>,
}

/// What happens to one who presses Ctrl-C.
const INTERRUPTED: u8 = 130;

/// A broker that does not answer for so long is worth a word.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn watch(
    description: &Description,
    every: Duration,
    format: Format,
    admin: &Admin,
    cx: &mut Context,
) -> Result<(), Ended> {
    let mut signals = Signals::listen()?;
    let admin = admin.with_timeout(every.max(PATIENCE));
    let mut watching = Watching {
        description,
        admin,
        begun: Instant::now(),
        history: History::over(GROUPS_WINDOW),
        times: RecordTimes::default(),
    };
    let mut screen = Screen::new(every, format, cx);
    let ended = tokio::select! {
        biased;
        status = signals.first() => Ok(status),
        ended = watching.go_on(every, &mut screen, cx) => ended,
    };
    screen.leave(cx)?;
    match ended? {
        INTERRUPTED => Ok(()),
        status => Err(Stop::Status(status).into()),
    }
}

struct Watching<'a> {
    description: &'a Description,
    admin: Admin,
    begun: Instant,
    /// By group and partition: what is committed, and the end.
    history: History<(String, TopicPartition), 2>,
    times: RecordTimes,
}

impl Watching<'_> {
    /// Never ends well: somebody has to interrupt it.
    async fn go_on(
        &mut self,
        every: Duration,
        screen: &mut Screen,
        cx: &mut Context,
    ) -> Result<u8, Ended> {
        let mut is_first = true;
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match self.look().await {
                Ok(moment) => screen.show(&moment, cx)?,
                Err(Ended::Problem(problem)) if !is_first => {
                    let sentence = format!("{}; trying again.", problem.cause());
                    screen.complain(&sentence, cx)?;
                }
                Err(ended) => return Err(ended),
            }
            is_first = false;
        }
    }

    async fn look(&mut self) -> Result<Moment, Ended> {
        let seen = describe::look(self.description, &mut self.times, &self.admin).await?;
        let now = self.begun.elapsed();
        let mut rates = Vec::with_capacity(seen.len());
        for Seen { group, rows } in &seen {
            let of_row = |row: &super::render::OffsetRow| {
                let committed = row.committed.as_ref()?.offset;
                let key = (group.id.clone(), row.at.clone());
                let rates = self.history.note(key, now, [committed, row.end?]);
                rates.map(Rates::from)
            };
            rates.push(rows.iter().map(of_row).collect());
        }
        self.history.forget_older_than(now);
        Ok(Moment {
            at: Timestamp::now(),
            seen,
            rates,
        })
    }
}
