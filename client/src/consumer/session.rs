//! A fetch session with one broker (KIP-227): after a full request only changes are said.
//!
//! Pure. Always: at most one request is under way, and until its outcome `asked` is what the broker was told. Not
//! here: which partitions to fetch, and what the answer holds.

use std::{collections::BTreeMap, sync::Arc};

use ottla_protocol::{
    errors::ErrorCode,
    messages::{
        FetchRequest, FetchResponse,
        api::fetch::request::{FetchPartition, FetchTopic, ForgottenTopic},
    },
    wire::Uuid,
};

use crate::admin::TopicPartition;

/// What a broker is told about a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) topic_id: Uuid,
    pub(super) fetch_offset: i64,
    pub(super) leader_epoch: i32,
    pub(super) bytes_max: i32,
}

/// Epoch of a request that opens a session; later ones count from 1.
const FIRST_EPOCH: i32 = 0;
/// Epoch of a request that closes one.
const FINAL_EPOCH: i32 = -1;
/// First version whose topics are named by id.
const FIRST_VERSION_BY_ID: i16 = 13;

#[derive(Debug, Default)]
pub(super) struct Session {
    /// 0: none is open.
    id: i32,
    epoch: i32,
    asked: BTreeMap<TopicPartition, Asked>,
    /// By id, for answers.
    names: BTreeMap<[u8; 16], Arc<str>>,
    by_id: bool,
}

impl Session {
    /// Puts topics, forgotten topics, session id and epoch into the request, so that the broker's view becomes
    /// `wanted`. Returns the newest version the request can be sent in.
    pub(super) fn build(
        &mut self,
        wanted: BTreeMap<TopicPartition, Asked>,
        request: &mut FetchRequest,
    ) -> i16 {
        let by_id = wanted.values().all(|asked| !asked.topic_id.is_zero());
        if by_id != self.by_id {
            self.start_over();
            self.by_id = by_id;
        }
        let is_full = self.epoch == FIRST_EPOCH;
        if is_full {
            self.asked.clear();
        }
        let mut changed = Topics::default();
        for (at, asked) in &wanted {
            if self.asked.get(at) != Some(asked) {
                changed.add(at, asked);
            }
        }
        request.topics = changed.0;
        request.forgotten_topics_data = forgotten(&self.asked, &wanted);
        request.session_id = self.id;
        request.session_epoch = self.epoch;
        self.names = wanted
            .iter()
            .map(|(at, asked)| (asked.topic_id.0, Arc::from(at.topic.as_str())))
            .collect();
        self.asked = wanted;
        self.version_max()
    }

    /// Puts into the request what closes the session. Returns the newest version it can be sent in; none where no
    /// session is open.
    pub(super) fn close(&self, request: &mut FetchRequest) -> Option<i16> {
        request.session_id = self.id;
        request.session_epoch = FINAL_EPOCH;
        (self.id != 0).then_some(self.version_max())
    }

    fn version_max(&self) -> i16 {
        match self.by_id {
            true => i16::MAX,
            false => FIRST_VERSION_BY_ID - 1,
        }
    }

    /// What the broker had been asked about a partition in the request that is answered.
    pub(super) fn asked(&self, at: &TopicPartition) -> Option<&Asked> {
        self.asked.get(at)
    }

    /// The name of an answered topic.
    pub(super) fn name_of(&self, id: Uuid) -> Option<&Arc<str>> {
        self.names.get(&id.0)
    }

    /// Takes note of the session in the answer. An error is one that concerns the request as a whole.
    pub(super) fn answered(&mut self, response: &FetchResponse) -> Result<(), ErrorCode> {
        match ErrorCode::from_code(response.error_code) {
            ErrorCode::None => {}
            error @ ErrorCode::FetchSessionIdNotFound => {
                *self = Self::default();
                return Err(error);
            }
            error => {
                self.start_over();
                return Err(error);
            }
        }
        if response.session_id == 0 {
            // The broker keeps no session (its cache is full): everything is said each time.
            self.id = 0;
            self.epoch = FIRST_EPOCH;
        } else {
            self.id = response.session_id;
            self.epoch = next_epoch(self.epoch);
        }
        Ok(())
    }

    /// After a request without an answer: the broker may or may not have heard it, so everything is said anew. The id
    /// lets the broker drop the old session.
    pub(super) fn start_over(&mut self) {
        self.epoch = FIRST_EPOCH;
    }
}

fn next_epoch(epoch: i32) -> i32 {
    epoch.checked_add(1).unwrap_or(1)
}

/// Partitions the broker is still to forget. A topic that was made anew under its name counts as another one.
fn forgotten(
    before: &BTreeMap<TopicPartition, Asked>,
    wanted: &BTreeMap<TopicPartition, Asked>,
) -> Vec<ForgottenTopic> {
    let mut topics: Vec<ForgottenTopic> = Vec::new();
    for (at, asked) in before {
        if wanted
            .get(at)
            .is_some_and(|now| now.topic_id == asked.topic_id)
        {
            continue;
        }
        match topics.last_mut().filter(|last| last.topic == *at.topic) {
            Some(topic) => topic.partitions.push(at.partition),
            None => topics.push(ForgottenTopic {
                topic: at.topic.as_str().into(),
                topic_id: asked.topic_id,
                partitions: vec![at.partition],
                ..Default::default()
            }),
        }
    }
    topics
}

#[derive(Default)]
struct Topics(Vec<FetchTopic>);

impl Topics {
    fn add(&mut self, at: &TopicPartition, asked: &Asked) {
        let partition = FetchPartition {
            partition: at.partition,
            current_leader_epoch: asked.leader_epoch,
            fetch_offset: asked.fetch_offset,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            partition_max_bytes: asked.bytes_max,
            ..Default::default()
        };
        match self.0.last_mut().filter(|last| last.topic == *at.topic) {
            Some(topic) => topic.partitions.push(partition),
            None => self.0.push(FetchTopic {
                topic: at.topic.as_str().into(),
                topic_id: asked.topic_id,
                partitions: vec![partition],
                ..Default::default()
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(offset: i64) -> Asked {
        Asked {
            topic_id: 7.into(),
            fetch_offset: offset,
            leader_epoch: 0,
            bytes_max: 100,
        }
    }

    fn wanted(offsets: &[(i32, i64)]) -> BTreeMap<TopicPartition, Asked> {
        let entry = |(p, offset): &(i32, i64)| (TopicPartition::new("t", *p), asked(*offset));
        offsets.iter().map(entry).collect()
    }

    fn answer(session_id: i32, error: ErrorCode) -> FetchResponse {
        FetchResponse {
            session_id,
            error_code: error.code(),
            ..Default::default()
        }
    }

    /// id, epoch, fetched partitions, forgotten partitions
    fn said(session: &mut Session, offsets: &[(i32, i64)]) -> (i32, i32, Vec<i32>, Vec<i32>) {
        let mut request = FetchRequest::default();
        session.build(wanted(offsets), &mut request);
        let of = |topic: &FetchTopic| topic.partitions.iter().map(|p| p.partition).collect();
        (
            request.session_id,
            request.session_epoch,
            request.topics.first().map(of).unwrap_or_default(),
            request
                .forgotten_topics_data
                .first()
                .map(|topic| topic.partitions.clone())
                .unwrap_or_default(),
        )
    }

    #[test]
    fn after_a_full_request_only_changes_are_said() {
        let mut session = Session::default();
        let all = [(0, 0), (1, 0), (2, 0)];
        assert_eq!(said(&mut session, &all), (0, 0, vec![0, 1, 2], vec![]));
        session.answered(&answer(9, ErrorCode::None)).unwrap();
        assert_eq!(said(&mut session, &all), (9, 1, vec![], vec![]));
        session.answered(&answer(9, ErrorCode::None)).unwrap();
        assert_eq!(
            said(&mut session, &[(0, 5), (2, 0), (3, 0)]),
            (9, 2, vec![0, 3], vec![1])
        );
    }

    #[test]
    fn a_broker_without_room_for_sessions_is_told_everything_each_time() {
        let mut session = Session::default();
        for _ in 0..2 {
            assert_eq!(said(&mut session, &[(0, 0)]), (0, 0, vec![0], vec![]));
            session.answered(&answer(0, ErrorCode::None)).unwrap();
        }
    }

    #[test]
    fn a_session_the_broker_forgot_is_opened_anew_and_one_out_of_step_replaced() {
        let mut session = Session::default();
        said(&mut session, &[(0, 0)]);
        session.answered(&answer(9, ErrorCode::None)).unwrap();
        said(&mut session, &[(0, 1)]);
        let lost = answer(0, ErrorCode::FetchSessionIdNotFound);
        assert!(session.answered(&lost).is_err());
        assert_eq!(said(&mut session, &[(0, 1)]), (0, 0, vec![0], vec![]));

        session.answered(&answer(10, ErrorCode::None)).unwrap();
        said(&mut session, &[(0, 1)]);
        let out_of_step = answer(0, ErrorCode::InvalidFetchSessionEpoch);
        assert!(session.answered(&out_of_step).is_err());
        assert_eq!(said(&mut session, &[(0, 1)]), (10, 0, vec![0], vec![]));
    }

    #[test]
    fn an_open_session_is_closed_by_its_id_and_one_that_is_not_open_is_not() {
        let mut session = Session::default();
        let mut request = FetchRequest::default();
        assert_eq!(session.close(&mut request), None);
        said(&mut session, &[(0, 0)]);
        session.answered(&answer(9, ErrorCode::None)).unwrap();
        assert_eq!(session.close(&mut request), Some(i16::MAX));
        assert_eq!((request.session_id, request.session_epoch), (9, -1));
        assert!(request.topics.is_empty());
    }

    #[test]
    fn an_unanswered_request_is_followed_by_a_full_one() {
        let mut session = Session::default();
        said(&mut session, &[(0, 0)]);
        session.answered(&answer(9, ErrorCode::None)).unwrap();
        said(&mut session, &[(0, 1), (1, 0)]);
        session.start_over();
        assert_eq!(
            said(&mut session, &[(0, 1), (1, 0)]),
            (9, 0, vec![0, 1], vec![])
        );
    }
}
