//! `ottla top`: what topics, groups and brokers are doing, again and again. A page on a terminal; lines or data elsewhere.
//!
//! Always: what is wrong at the first look ends the tool; later a broker that does not answer is shown and waited for. All
//! forms show the same view of the same snapshots. Ctrl-C is a good end, with status 0.

use std::time::Duration;

use clap::CommandFactory;
use ottla_client::ClientError;
use ottla_client::admin::Admin;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::connect;
use crate::context::{self, Context};
use crate::options;
use crate::output::{Format, Stream};
use crate::signals::Signals;
use crate::stop::{Failure, Stop};
use crate::terminal::{self, Keys};
use crate::tool::Tool;
use args::{Args, Plan};
use look::Looker;
use page::{Page, Wish};
use view::{View, Views};

mod args;
mod json;
mod lines;
mod look;
mod page;
mod snapshot;
mod table;
#[cfg(test)]
mod tests;
mod view;

pub const TOOL: Tool = Tool {
    name: "top",
    link: "ottla-top",
    about: "Show what topics, groups and brokers are doing, again and again",
    command: Args::command,
    run,
};

/// What the reference would call the first question.
const CALL: &str = "listTopics";

/// What happens to one who presses Ctrl-C.
const INTERRUPTED: u8 = 130;

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let args: Args = options::start_own(words)?;
    let plan = args::plan(&args).map_err(options::of_command_line)?;
    let overrides = [("bootstrap.servers", plan.servers.as_str())];
    let settings = connect::settings(&args.command_config, &overrides, cx)?;
    // A terminal that is slow or stopped must not hold up connections.
    context::block_on_beside(async {
        let mut signals = Signals::listen()?;
        tokio::select! {
            biased;
            status = signals.first() => ended_by(status),
            admin = connect::admin(settings, CALL) => {
                let admin = admin.map_err(Failure::from)?;
                show(&plan, &admin, &mut signals, cx).await
            }
        }
    })?
}

fn ended_by(status: u8) -> Result<(), Stop> {
    match status {
        INTERRUPTED => Ok(()),
        status => Err(Stop::Status(status)),
    }
}

async fn show(
    plan: &Plan,
    admin: &Admin,
    signals: &mut Signals,
    cx: &mut Context,
) -> Result<(), Stop> {
    if plan.format == Format::Table && cx.stdout_is_terminal {
        return live(plan, admin, signals, cx).await;
    }
    tokio::select! {
        biased;
        status = signals.first() => ended_by(status),
        ended = print(plan, admin, cx) => ended,
    }
}

/// A page that answers to keys; the looks go on beside it, and rest while it is paused.
async fn live(
    plan: &Plan,
    admin: &Admin,
    signals: &mut Signals,
    cx: &mut Context,
) -> Result<(), Stop> {
    let mut looks = Looks::new(admin, plan.interval);
    let mut left = plan.count.unwrap_or(u64::MAX);
    let mut view = tokio::select! {
        biased;
        status = signals.first() => return ended_by(status),
        view = looks.next() => view.map_err(|error| connect::failure(CALL, &error))?,
    };
    left -= 1;
    let (sender, mut seen) = mpsc::channel(1);
    tokio::spawn(async move { while sender.send(looks.next().await).await.is_ok() {} });

    let mut page = Page::new(&plan.subject, plan.sort, &plan.filter, plan.interval);
    let mut terminal = terminal::Page::with_keys();
    terminal.draw(&page.lines(&view, terminal::size().1), cx)?;
    let mut keys = Keys::listen()?;
    while left > 0 {
        let wish = tokio::select! {
            biased;
            status = signals.first() => {
                terminal.leave(cx)?;
                return ended_by(status);
            }
            key = keys.next() => page.press(key, &view, terminal::size().1),
            Some(outcome) = seen.recv(), if !page.is_paused() => {
                match outcome {
                    Ok(next) => {
                        view = next;
                        left -= 1;
                        page.complain(None);
                    }
                    Err(error) => page.complain(Some(complaint(error))),
                }
                Wish::Draw
            }
        };
        match wish {
            Wish::Draw => {}
            Wish::Quit => break,
            Wish::Suspend => terminal.suspend(cx)?,
            Wish::TakeAnew => terminal.lost(),
        }
        terminal.draw(&page.lines(&view, terminal::size().1), cx)?;
    }
    terminal.leave(cx)?;
    Ok(())
}

fn complaint(error: ClientError) -> String {
    format!("{}; trying again.", connect::capitalized(error))
}

/// Look after look, for whoever keeps what is printed.
async fn print(plan: &Plan, admin: &Admin, cx: &mut Context) -> Result<(), Stop> {
    let mut looks = Looks::new(admin, plan.interval);
    let mut complained_of = String::new();
    let mut data = Stream::of(plan.format, json::rows(&plan.subject));
    let mut has_head = false;
    let mut left = plan.count.unwrap_or(u64::MAX);
    while left > 0 {
        match looks.next().await {
            Ok(view) => {
                complained_of.clear();
                match &mut data {
                    Some(stream) => stream.tell(json::of(&view, &plan.filter), cx)?,
                    None => {
                        let mut rows = table::rows(&view, &plan.subject, plan.sort, &plan.filter);
                        rows.truncate(plan.rows.unwrap_or(usize::MAX));
                        let time = format!("{:.0}", view.time);
                        let is_first = !std::mem::replace(&mut has_head, true);
                        let text = lines::of(&time, &plan.subject, &rows, is_first);
                        cx.out.write_all(text.as_bytes())?;
                        cx.flush()?;
                    }
                }
                left -= 1;
            }
            Err(error) if looks.is_first => return Err(connect::failure(CALL, &error).into()),
            Err(error) => {
                // Once, however long it lasts: whoever keeps the lines keeps these, too.
                let sentence = complaint(error);
                if complained_of != sentence {
                    cx.warn(&sentence);
                    complained_of = sentence;
                }
            }
        }
    }
    Ok(())
}

/// A view every so often.
struct Looks {
    looker: Looker,
    views: Views,
    ticks: tokio::time::Interval,
    /// Nothing has been seen yet.
    is_first: bool,
}

impl Looks {
    fn new(admin: &Admin, every: Duration) -> Self {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            looker: Looker::new(admin),
            views: Views::new(),
            ticks,
            is_first: true,
        }
    }

    async fn next(&mut self) -> Result<View, ClientError> {
        self.ticks.tick().await;
        let view = self.views.next(self.looker.look().await?);
        self.is_first = false;
        Ok(view)
    }
}
