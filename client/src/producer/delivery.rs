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
    /// Its records went on in other batches: each with the place that its first record had here, from 0 on.
    Split(Vec<(i32, Arc<Completion>)>),
    Done(Result<BatchPlace, ProduceError>),
}

/// What a record's batch says of it.
enum Look {
    NotYet,
    /// It is in another batch now, at the place it had here less this.
    Moved(i32, Arc<Completion>),
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
        self.leave_open(State::Done(outcome));
    }

    /// Has the records look for their outcomes in these batches, each given with the place of its first record. The first
    /// is given with 0.
    pub(super) fn split(&self, parts: Vec<(i32, Arc<Completion>)>) {
        assert_eq!(
            parts.first().map(|part| part.0),
            Some(0),
            "every record is in a part"
        );
        self.leave_open(State::Split(parts));
    }

    fn leave_open(&self, next: State) {
        let wakers = {
            let mut state = lock(&self.state);
            match &mut *state {
                State::Done(_) | State::Split(_) => return,
                State::Open(wakers) => {
                    let wakers = std::mem::take(wakers);
                    *state = next;
                    wakers
                }
            }
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// What is known of the record at this place; whoever gives a waker hears of news.
    fn look(&self, index: i32, waker: Option<&Waker>) -> Look {
        match &mut *lock(&self.state) {
            State::Done(outcome) => Look::Done(outcome.clone()),
            State::Split(parts) => {
                let behind = parts.partition_point(|(first, _)| *first <= index);
                let Some((first, part)) = behind.checked_sub(1).and_then(|at| parts.get(at)) else {
                    unreachable!("the first part begins at 0")
                };
                Look::Moved(*first, part.clone())
            }
            State::Open(wakers) => {
                if let Some(waker) = waker
                    && !wakers.iter().any(|known| known.will_wake(waker))
                {
                    wakers.push(waker.clone());
                }
                Look::NotYet
            }
        }
    }

    /// Waits until every record has its outcome.
    pub(super) async fn done(self: Arc<Self>) {
        let mut left = vec![self];
        while let Some(batch) = left.pop() {
            left.extend(std::future::poll_fn(|cx| batch.poll_parts(cx.waker())).await);
        }
    }

    /// What is still to be waited for once there is news.
    fn poll_parts(&self, waker: &Waker) -> Poll<Vec<Arc<Self>>> {
        match self.look(0, Some(waker)) {
            Look::NotYet => Poll::Pending,
            Look::Done(_) => Poll::Ready(Vec::new()),
            Look::Moved(..) => match &*lock(&self.state) {
                State::Split(parts) => {
                    Poll::Ready(parts.iter().map(|(_, part)| part.clone()).collect())
                }
                State::Open(_) | State::Done(_) => unreachable!("what was split stays split"),
            },
        }
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
        self.look(None)
    }

    /// The partition the record went to.
    pub fn partition(&self) -> i32 {
        self.batch.partition
    }

    fn look(&self, waker: Option<&Waker>) -> Option<Result<RecordMetadata, ProduceError>> {
        let mut index = self.index;
        let mut look = self.batch.look(index, waker);
        while let Look::Moved(first, part) = look {
            index -= first;
            look = part.look(index, waker);
        }
        let Look::Done(outcome) = look else {
            return None;
        };
        Some(outcome.map(|place| RecordMetadata {
            topic: self.batch.topic.clone(),
            partition: self.batch.partition,
            offset: place.base_offset.map(|base| base + i64::from(index)),
            timestamp: place.append_time.unwrap_or(self.timestamp),
        }))
    }
}

impl Future for Delivery {
    type Output = Result<RecordMetadata, ProduceError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.look(Some(cx.waker()))
            .map_or(Poll::Pending, Poll::Ready)
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
    async fn a_record_whose_batch_is_split_twice_knows_its_own_offset() {
        let part = || Arc::new(Completion::new("t".into(), 3));
        let [whole, left, right, rightmost] = [part(), part(), part(), part()];
        let deliveries: Vec<Delivery> = (0..5)
            .map(|index| Delivery {
                batch: whole.clone(),
                ..delivery(index)
            })
            .collect();
        let flushed = tokio::spawn(whole.clone().done());
        tokio::task::yield_now().await;
        whole.split(vec![(0, left.clone()), (2, right.clone())]);
        right.split(vec![(0, part()), (2, rightmost.clone())]);
        let place = |base_offset| {
            Ok(BatchPlace {
                base_offset: Some(base_offset),
                append_time: None,
            })
        };
        left.complete(place(100));
        rightmost.complete(place(300));
        let offsets: Vec<Option<i64>> = deliveries
            .iter()
            .map(|delivery| delivery.now().and_then(|outcome| outcome.unwrap().offset))
            .collect();
        assert_eq!(offsets, [Some(100), Some(101), None, None, Some(300)]);
        assert!(!flushed.is_finished(), "two records have no outcome");
        let waiting = tokio::spawn(deliveries.into_iter().nth(3).unwrap());
        tokio::task::yield_now().await;
        let Look::Moved(_, middle) = right.look(0, None) else {
            panic!("it was split")
        };
        middle.complete(place(200));
        assert_eq!(waiting.await.unwrap().unwrap().offset, Some(201));
        flushed.await.unwrap();
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
