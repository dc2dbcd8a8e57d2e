//! What became of a record, shared by all records of a batch.
//!
//! A record costs its waiter one reference to the batch's outcome and its place in the batch: no channel, no task.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use crate::cluster::lock;

use super::ProduceError;

/// Where a record ended up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordMetadata {
    pub topic: Arc<str>,
    pub partition: i32,
    /// None with `acks=0`, and where the broker had the batch already and no longer knows where.
    pub offset: Option<i64>,
    /// The record's own, or the broker's where the topic says so.
    pub timestamp: i64,
}

/// Where a batch ended up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchPlace {
    pub base_offset: Option<i64>,
    /// Set for topics with `message.timestamp.type=LogAppendTime`.
    pub append_time: Option<i64>,
}

/// The outcome of a batch, once there is one.
#[derive(Debug)]
pub(super) struct Completion {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Open(Vec<Waker>),
    Done(Result<BatchPlace, ProduceError>),
}

impl Completion {
    pub(super) fn new(topic: Arc<str>, partition: i32) -> Self {
        Self {
            topic,
            partition,
            state: Mutex::new(State::Open(Vec::new())),
        }
    }

    /// Sets the outcome and wakes whoever waits. The first outcome stays.
    pub(super) fn complete(&self, outcome: Result<BatchPlace, ProduceError>) {
        let wakers = {
            let mut state = lock(&self.state);
            match &mut *state {
                State::Done(_) => return,
                State::Open(wakers) => {
                    let wakers = std::mem::take(wakers);
                    *state = State::Done(outcome);
                    wakers
                }
            }
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    fn poll(&self, waker: &Waker) -> Poll<Result<BatchPlace, ProduceError>> {
        match &mut *lock(&self.state) {
            State::Done(outcome) => Poll::Ready(outcome.clone()),
            State::Open(wakers) => {
                if !wakers.iter().any(|known| known.will_wake(waker)) {
                    wakers.push(waker.clone());
                }
                Poll::Pending
            }
        }
    }

    pub(super) fn outcome(&self) -> Option<Result<BatchPlace, ProduceError>> {
        match &*lock(&self.state) {
            State::Done(outcome) => Some(outcome.clone()),
            State::Open(_) => None,
        }
    }

    /// Waits for the outcome.
    pub(super) async fn done(&self) -> Result<BatchPlace, ProduceError> {
        std::future::poll_fn(|cx| self.poll(cx.waker())).await
    }
}

/// The acknowledgement of one record: a future, and something that can be looked at. Dropping it loses nothing but
/// the news.
#[derive(Debug)]
pub struct Delivery {
    pub(super) batch: Arc<Completion>,
    pub(super) index: i32,
    pub(super) timestamp: i64,
}

impl Delivery {
    /// The outcome if there is one already.
    pub fn now(&self) -> Option<Result<RecordMetadata, ProduceError>> {
        Some(self.of_batch(self.batch.outcome()?))
    }

    /// The partition the record went to.
    pub fn partition(&self) -> i32 {
        self.batch.partition
    }

    fn of_batch(
        &self,
        outcome: Result<BatchPlace, ProduceError>,
    ) -> Result<RecordMetadata, ProduceError> {
        let place = outcome?;
        Ok(RecordMetadata {
            topic: self.batch.topic.clone(),
            partition: self.batch.partition,
            offset: place.base_offset.map(|base| base + i64::from(self.index)),
            timestamp: place.append_time.unwrap_or(self.timestamp),
        })
    }
}

impl Future for Delivery {
    type Output = Result<RecordMetadata, ProduceError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.batch
            .poll(cx.waker())
            .map(|outcome| self.of_batch(outcome))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(index: i32) -> Delivery {
        Delivery {
            batch: Arc::new(Completion::new("t".into(), 3)),
            index,
            timestamp: 77,
        }
    }

    #[tokio::test]
    async fn a_record_knows_its_own_offset_from_its_batch() {
        let delivery = delivery(2);
        assert_eq!(delivery.now(), None);
        delivery.batch.complete(Ok(BatchPlace {
            base_offset: Some(40),
            append_time: None,
        }));
        let expected = RecordMetadata {
            topic: "t".into(),
            partition: 3,
            offset: Some(42),
            timestamp: 77,
        };
        assert_eq!(delivery.now(), Some(Ok(expected.clone())));
        assert_eq!(delivery.await, Ok(expected));
    }

    #[tokio::test]
    async fn whoever_waits_is_woken_and_the_first_outcome_stays() {
        let delivery = delivery(0);
        let batch = delivery.batch.clone();
        let waiting = tokio::spawn(delivery);
        tokio::task::yield_now().await;
        batch.complete(Err(ProduceError::Closed));
        batch.complete(Ok(BatchPlace {
            base_offset: Some(1),
            append_time: None,
        }));
        assert_eq!(waiting.await.unwrap(), Err(ProduceError::Closed));
    }
}
