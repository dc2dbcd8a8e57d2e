//! The host: answers wait for what they tell, timers fire once, failures reach everyone who waits.

use ottla_coordination::{Effects, Host, Loading, Machine, ReplyToken};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{Millis, Offset};

use crate::support::MemoryLog;

/// Adds numbers up. `Park` keeps its token until the timer of the same number fires.
#[derive(Debug, Default)]
struct Adder {
    sum: u64,
    parked: Vec<ReplyToken>,
    refused: usize,
}

#[derive(Debug)]
enum Command {
    Add(Vec<u64>),
    /// Adds a number and sends the shell out with the sum.
    Send(u64),
    Read,
    Park(u32, Millis),
    Disarm(u32),
}

impl Machine for Adder {
    type Command = Command;
    type Record = u64;
    type Response = u64;
    type Timer = u32;
    type Errand = u64;

    fn handle(&mut self, _: Millis, token: ReplyToken, command: Command, out: &mut Effects<Self>) {
        match command {
            Command::Add(numbers) => {
                let sum = self.sum + numbers.iter().sum::<u64>();
                out.append_then(numbers, vec![(token, sum)]);
            }
            Command::Send(number) => {
                let sum = self.sum + number;
                out.append_then_send(vec![number], vec![(token, sum)], vec![sum]);
            }
            Command::Read => out.reply(token, self.sum),
            Command::Park(timer, at) => {
                self.parked.push(token);
                out.arm(timer, at);
            }
            Command::Disarm(timer) => {
                out.disarm(timer);
                out.reply(token, 0);
            }
        }
    }

    fn on_timer(&mut self, now: Millis, timer: u32, out: &mut Effects<Self>) {
        for token in self.parked.drain(..) {
            out.reply(token, u64::from(timer));
        }
        if timer == 99 {
            out.arm(timer, now);
        }
    }

    fn apply(&mut self, _: Offset, record: &u64) {
        self.sum += record;
    }

    fn on_loaded(&mut self, _: Millis, out: &mut Effects<Self>) {
        out.arm(1, Millis(1_000));
    }

    fn on_append_failed(&mut self, _: Millis, _: &[u64], _: ErrorCode, _: &mut Effects<Self>) {
        self.refused += 1;
    }

    fn client_error(error: ErrorCode) -> ErrorCode {
        match error {
            ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
            other => other,
        }
    }
}

struct Stage {
    log: MemoryLog<u64>,
    host: Host<Adder>,
}

impl Stage {
    fn new() -> Self {
        let mut log = MemoryLog::default();
        let loading = Loading::new(Adder::default());
        let host = loading.finish(Millis(0), Offset(0), Offset(0), &mut log);
        Self { log, host }
    }

    fn ask(&mut self, token: u64, command: Command) {
        self.host
            .handle(Millis(0), ReplyToken(token), command, &mut self.log);
    }

    fn answers(&mut self) -> Vec<(u64, Result<u64, ErrorCode>)> {
        let answers = self.host.take_answers();
        answers
            .into_iter()
            .map(|(token, answer)| (token.0, answer))
            .collect()
    }
}

#[test]
fn a_write_is_answered_when_its_last_record_is_committed() {
    let mut stage = Stage::new();
    stage.ask(1, Command::Add(vec![5, 6]));
    assert_eq!(stage.answers(), []);
    stage.host.committed(Offset(1));
    assert_eq!(stage.answers(), []);
    stage.host.committed(Offset(2));
    assert_eq!(stage.answers(), [(1, Ok(11))]);
}

#[test]
fn the_shell_is_sent_out_for_what_is_committed_and_for_nothing_else() {
    let mut stage = Stage::new();
    stage.ask(1, Command::Send(5));
    assert!(stage.host.take_errands().is_empty());
    stage.host.committed(Offset(1));
    assert_eq!(stage.host.take_errands(), [5]);
    stage.log.refuse_next = Some(ErrorCode::NotEnoughReplicas);
    stage.ask(2, Command::Send(6));
    stage.host.committed(Offset(1));
    assert!(stage.host.take_errands().is_empty(), "nothing was decided");
}

#[test]
fn a_read_waits_for_what_it_could_have_seen_and_no_longer() {
    let mut stage = Stage::new();
    stage.ask(1, Command::Read);
    assert_eq!(stage.answers(), [(1, Ok(0))]);
    stage.ask(2, Command::Add(vec![5]));
    stage.ask(3, Command::Read);
    stage.ask(4, Command::Add(vec![1]));
    assert_eq!(stage.answers(), []);
    stage.host.committed(Offset(1));
    assert_eq!(stage.answers(), [(2, Ok(5)), (3, Ok(5))]);
    assert!(!stage.host.is_committed());
    stage.host.committed(Offset(2));
    assert_eq!(stage.answers(), [(4, Ok(6))]);
}

#[test]
fn a_refused_append_is_answered_at_once_and_changes_nothing() {
    let mut stage = Stage::new();
    stage.log.refuse_next = Some(ErrorCode::KafkaStorageError);
    stage.ask(1, Command::Add(vec![5]));
    assert_eq!(stage.answers(), [(1, Err(ErrorCode::NotCoordinator))]);
    assert_eq!(
        (stage.host.machine().sum, stage.host.machine().refused),
        (0, 1)
    );
    stage.ask(2, Command::Read);
    assert_eq!(stage.answers(), [(2, Ok(0))]);
}

#[test]
fn losing_the_log_answers_everyone_who_waits() {
    let mut stage = Stage::new();
    stage.ask(1, Command::Read);
    stage.ask(2, Command::Add(vec![5]));
    stage.ask(3, Command::Park(7, Millis(10)));
    let answers = stage.host.unload(ErrorCode::KafkaStorageError);
    let answers: Vec<_> = answers
        .into_iter()
        .map(|(token, answer)| (token.0, answer))
        .collect();
    let error = Err(ErrorCode::NotCoordinator);
    assert_eq!(answers, [(1, Ok(0)), (2, error), (3, error)]);
}

#[test]
fn timers_fire_once_at_the_time_that_was_set_last() {
    let mut stage = Stage::new();
    assert_eq!(stage.host.next_deadline(), Some(Millis(1_000)));
    stage.ask(1, Command::Park(7, Millis(10)));
    stage.ask(2, Command::Park(7, Millis(20)));
    assert_eq!(stage.host.next_deadline(), Some(Millis(20)));
    stage.host.advance(Millis(19), &mut stage.log);
    assert_eq!(stage.answers(), []);
    stage.host.advance(Millis(20), &mut stage.log);
    assert_eq!(stage.answers(), [(1, Ok(7)), (2, Ok(7))]);
    assert_eq!(stage.host.next_deadline(), Some(Millis(1_000)));
    stage.ask(3, Command::Disarm(1));
    assert_eq!(stage.host.next_deadline(), None);
}

/// S-28
#[test]
fn a_clock_that_is_moved_leaves_timers_as_far_away_as_they_were() {
    for by in [86_400_000, -86_400_000] {
        let mut stage = Stage::new();
        stage.ask(1, Command::Park(7, Millis(20)));
        stage.host.clock_moved(Millis(by));
        assert_eq!(stage.host.next_deadline(), Some(Millis(by + 20)));
        stage.host.advance(Millis(by + 19), &mut stage.log);
        assert_eq!(stage.answers(), []);
        stage.host.advance(Millis(by + 20), &mut stage.log);
        assert_eq!(stage.answers(), [(1, Ok(7))]);
        // One that was set before and one that is set after stand in the right order.
        assert_eq!(stage.host.next_deadline(), Some(Millis(by + 1_000)));
    }
}

#[test]
fn a_timer_that_arms_itself_for_now_waits_for_the_next_call() {
    let mut stage = Stage::new();
    stage.ask(1, Command::Park(99, Millis(5)));
    stage.host.advance(Millis(5), &mut stage.log);
    assert_eq!(stage.host.next_deadline(), Some(Millis(6)));
}

#[test]
fn a_loaded_machine_goes_on_where_the_log_ends() {
    let mut log = MemoryLog {
        records: vec![1, 2, 3],
        refuse_next: None,
    };
    let mut loading = Loading::new(Adder::default());
    for (offset, record) in (0..).zip(&log.records) {
        loading.load(Offset(offset), record);
    }
    let mut host = loading.finish(Millis(0), Offset(3), Offset(2), &mut log);
    // The last record was read, but is not known to be committed yet.
    host.handle(Millis(0), ReplyToken(1), Command::Read, &mut log);
    assert!(host.take_answers().is_empty());
    host.committed(Offset(3));
    assert_eq!(host.take_answers(), [(ReplyToken(1), Ok(6))]);
    assert_eq!(host.end(), Offset(3));
}

#[test]
#[should_panic(expected = "came twice")]
fn a_token_is_good_for_one_request() {
    let mut stage = Stage::new();
    stage.ask(1, Command::Park(7, Millis(10)));
    stage.ask(1, Command::Read);
}
