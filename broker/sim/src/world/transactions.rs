//! What the world has to do with transactions. They send to the place where others commit, too.

use ottla_coordination::Answer;
use ottla_coordination::group::Response;
use ottla_coordination::txn::coordinator::Outcome;

use super::{Asked, SOLO, World};
use crate::producer::Stage;

impl World {
    pub(super) fn a_producer_goes_on(&mut self) {
        let number = self.random.below(self.producers.len() as u64);
        let number = usize::try_from(number).expect("few producers");
        let producer = &mut self.producers[number];
        if producer.stage != Stage::Open || self.random.one_in(4) {
            self.end_transaction(number);
        } else if !producer.is_waiting {
            producer.is_waiting = true;
            self.next_offset += 1;
            self.hidden.insert(self.next_offset);
            let command = producer.send(SOLO, self.next_offset);
            let token = self.token(Asked::Send(number));
            self.shard.ask(self.now, token, command);
        }
    }

    pub(super) fn end_transaction(&mut self, number: usize) {
        let producer = &mut self.producers[number];
        if producer.is_waiting {
            return;
        }
        let outcome = match producer.stage {
            Stage::Ending(outcome) => outcome,
            Stage::Broken => Outcome::Abort,
            Stage::Open if self.random.one_in(3) => Outcome::Abort,
            Stage::Open => Outcome::Commit,
        };
        if outcome == Outcome::Commit {
            // From now on they may show.
            self.hidden.retain(|offset| !producer.sent.contains(offset));
        }
        producer.stage = Stage::Ending(outcome);
        producer.is_waiting = true;
        let command = producer.end(outcome);
        let token = self.token(Asked::End(number));
        self.shard.ask(self.now, token, command);
    }

    pub(super) fn producer_hears(&mut self, number: usize, answer: &Answer<Response>) {
        let is_there = match answer {
            Ok(Response::OffsetCommit(response)) => {
                response.topics[0].partitions[0].error_code == 0
            }
            Ok(other) => panic!("another answer: {other:?}"),
            Err(_) => false,
        };
        self.tally.appends_refused += usize::from(answer.is_err());
        self.producers[number].send_answered(is_there);
    }

    pub(super) fn end_hears(&mut self, number: usize, answer: &Answer<Response>) {
        let producer = &mut self.producers[number];
        match answer {
            Ok(Response::TransactionEnded) => {
                let is_committed = producer.stage == Stage::Ending(Outcome::Commit);
                let sent = producer.ended();
                if let Some(last) = sent.last().filter(|_| is_committed) {
                    self.tally.transactions_committed += 1;
                    self.acknowledged(SOLO, *last);
                }
            }
            Ok(other) => panic!("another answer: {other:?}"),
            Err(_) => {
                producer.is_waiting = false;
                self.tally.appends_refused += 1;
            }
        }
    }
}
