//! S-23: two producers, one by librdkafka and one by Kafka's own client, claim one transactional id in turn or at once, in the middle
//! of each other's transactions. Whoever claimed it last survives; the other one's client says that it is fenced, and nothing of
//! what it left open is ever read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::Stage;
use super::broker::Broker;
use super::check;
use super::clients::{compile, java, python};
use super::report::Report;
use super::streams::BROKER;
use crate::interop::peer;
use crate::shell::root;

const TOPIC: &str = "contested";
const PARTITIONS: usize = 2;
const ID: &str = "id";
const INVALID_STATE: &str = "INVALID_TXN_STATE";

/// A round is a hijack or a race.
pub(super) fn of_other_clients(stage: &mut Stage) -> Result<Report> {
    let mut broker = Broker::new(stage.path())?.with(BROKER);
    broker.start()?;
    broker.create_topic(TOPIC, PARTITIONS, &[])?;
    let jars = peer::jars()?;
    compile("Claimant.java", &jars, stage.path())?;
    let class_path = std::env::join_paths([stage.path().to_owned(), jars.join("*")])?;
    let mut program = java(Path::new(&class_path));
    program.arg("Claimant");
    let mut both = [
        Claimant::start(python("tests/faults/claimant.py")?, &broker, stage.path())?,
        Claimant::start(program, &broker, stage.path())?,
    ];
    let (mut committed, mut refused) = (Vec::new(), BTreeMap::new());
    let mut holder = 0;
    both[holder].must("claim")?;
    for number in 0..stage.rounds {
        let [old, new] = match &mut both {
            [first, second] if holder == 0 => [first, second],
            [first, second] => [second, first],
        };
        let (begin, mine) = (format!("begin {number}"), format!("begin {number}-after"));
        let kind = stage.random.below(3);
        let survivor_is_new = match kind {
            0 => {
                old.must(&begin)?;
                new.must("claim")?;
                note(&mut refused, old.ask("commit")?)?;
                true
            }
            1 => {
                old.must(&begin)?;
                old.say("commit")?;
                new.must("claim")?;
                match old.hear()? {
                    Outcome::Done => committed.push(number.to_string()),
                    Outcome::Failed(why) if is_invalid_state(&why) => {
                        note(&mut refused, Outcome::Fenced(INVALID_STATE.to_owned()))?;
                    }
                    fenced => note(&mut refused, fenced)?,
                }
                true
            }
            _ => {
                let outcomes = race(old, new, &begin)?;
                committed.push(number.to_string());
                let survivors = outcomes.iter().filter(|it| **it == Outcome::Done).count();
                ensure!(survivors == 1, "round {number}: {outcomes:?}");
                let survivor_is_new = outcomes[1] == Outcome::Done;
                let fenced = outcomes.into_iter().find(|it| *it != Outcome::Done);
                note(&mut refused, fenced.context("both survived")?)?;
                survivor_is_new
            }
        };
        let survivor = if survivor_is_new { new } else { old };
        survivor.must(&mine)?;
        survivor.must("commit")?;
        committed.push(format!("{number}-after"));
        holder = if survivor_is_new { 1 - holder } else { holder };
    }
    let lost = judge(&broker, &committed)?;
    drop(both);
    broker.stop()?;
    Ok(Report {
        rounds: stage.rounds,
        acked: committed.len(),
        lost,
        figure: format!("told so: {refused:?}"),
        ..Report::default()
    })
}

/// Both claim at once, and then both have a transaction: how each fared.
fn race(old: &mut Claimant, new: &mut Claimant, begin: &str) -> Result<[Outcome; 2]> {
    let mut outcomes = [Outcome::Done, Outcome::Done];
    for word in ["claim", begin, "commit"] {
        let mut racers = [&mut *old, &mut *new];
        let is_in = outcomes.each_ref().map(|it| *it == Outcome::Done);
        for (racer, _) in racers.iter_mut().zip(is_in).filter(|(_, is_in)| *is_in) {
            racer.say(word)?;
        }
        for n in (0..2).filter(|n| is_in[*n]) {
            outcomes[n] = racers[n].hear()?;
        }
    }
    Ok(outcomes)
}

fn note(refused: &mut BTreeMap<String, usize>, outcome: Outcome) -> Result<()> {
    match outcome {
        Outcome::Fenced(why) => *refused.entry(why).or_default() += 1,
        other => bail!("one whose place was taken: {other:?}"),
    }
    Ok(())
}

/// While the abort is carried out that makes room for a successor, a commit looks like an end that comes again, and with another
/// outcome; to the reference, too.
fn is_invalid_state(why: &str) -> bool {
    why.contains("InvalidTxnState") || why.contains(INVALID_STATE)
}

/// Partitions whose committed records are not these.
fn judge(broker: &Broker, committed: &[String]) -> Result<usize> {
    let mut wrong = 0;
    for partition in 0..PARTITIONS {
        let read = broker.try_tool(&format!(
            "console-consumer --topic {TOPIC} --partition {partition} --offset earliest --timeout-ms 3000 \
             --isolation-level read_committed --formatter-property print.offset=true"
        ))?;
        let text = String::from_utf8(read.stdout)?;
        let values: Vec<_> = check::parse(&text)?.iter().map(|it| it.value).collect();
        wrong += usize::from(!values.iter().eq(committed));
    }
    Ok(wrong)
}

#[derive(Debug, PartialEq)]
enum Outcome {
    Done,
    Fenced(String),
    Failed(String),
}

/// One of the programs `tests/faults/claimant.py` and `Claimant.java`.
struct Claimant {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Claimant {
    fn start(mut program: Command, broker: &Broker, directory: &Path) -> Result<Claimant> {
        program.args([&broker.address(), TOPIC, &PARTITIONS.to_string(), ID]);
        program.stdin(Stdio::piped()).stdout(Stdio::piped());
        let said = File::options()
            .create(true)
            .append(true)
            .open(directory.join("claimants"))?;
        let mut child = program.current_dir(root()).stderr(said).spawn()?;
        let input = child.stdin.take().context("no input")?;
        let output = BufReader::new(child.stdout.take().context("no output")?);
        Ok(Claimant {
            child,
            input,
            output,
        })
    }

    fn say(&mut self, line: &str) -> Result<()> {
        Ok(writeln!(self.input, "{line}")?)
    }

    fn hear(&mut self) -> Result<Outcome> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let (word, why) = line
            .trim_end()
            .split_once(' ')
            .unwrap_or((line.trim_end(), ""));
        Ok(match word {
            "done" => Outcome::Done,
            "fenced" => Outcome::Fenced(why.to_owned()),
            _ => Outcome::Failed(line),
        })
    }

    fn ask(&mut self, line: &str) -> Result<Outcome> {
        self.say(line)?;
        self.hear()
    }

    fn must(&mut self, line: &str) -> Result<()> {
        let outcome = self.ask(line)?;
        ensure!(outcome == Outcome::Done, "{line}: {outcome:?}");
        Ok(())
    }
}

impl Drop for Claimant {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
