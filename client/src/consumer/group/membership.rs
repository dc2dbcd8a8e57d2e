//! A member of a classic group: what it says to the coordinator next, and what the answers mean.
//!
//! Pure: time comes in. Always: one request at a time; a join follows only on the consumer's word, as that has to let
//! its partitions go first; after a failure the member either knows its generation is over or goes on as it was.
//! Not here: sockets, the partitions, committing.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use ottla_protocol::{
    errors::ErrorCode,
    messages::{
        HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse,
        LeaveGroupRequest, SyncGroupRequest, SyncGroupResponse,
        api::{
            join_group::request::JoinGroupRequestProtocol, leave_group::request::MemberIdentity,
            sync_group::request::SyncGroupRequestAssignment,
        },
    },
    wire::StrBytes,
};

use crate::{
    cluster::Backoff,
    consumer::{
        assignors::{Assigned, Assignment, LastAssignment, Member, PartitionAssignor, Topics},
        error::ConsumerError,
        settings::{ClassicSettings, GroupSettings},
    },
    error::{ApiError, ClientError, wire_text},
};

use super::{
    handle::{Identity, Notice, Wish},
    leader,
    protocol::{
        PROTOCOL_TYPE, Subscription, decode_assignment, decode_member, encode_assignment,
        encode_subscription,
    },
};

/// What the member wants to be done now.
#[derive(Debug)]
pub(super) enum Step {
    Join(JoinGroupRequest),
    /// This member leads, and is to know what there is of these topics.
    LookUp(BTreeSet<String>),
    Sync(SyncGroupRequest),
    Heartbeat(HeartbeatRequest),
    /// `max.poll.interval.ms` has passed without a poll.
    Leave(LeaveGroupRequest),
    /// Nothing before this time or a word from the consumer.
    Wait(Option<Instant>),
}

/// Whether a coordinator is to be looked up anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coordinator {
    Keep,
    Forget,
}

#[derive(Debug, PartialEq)]
enum State {
    /// Waits for the consumer's word.
    Out,
    /// To be joined.
    Joining,
    /// Joined as leader; the assignment is to be made.
    Leading(Vec<Member>),
    Syncing(Vec<SyncGroupRequestAssignment>),
    Stable,
    /// Nothing more happens.
    Failed,
}

#[derive(Debug)]
pub(super) struct Membership {
    settings: GroupSettings,
    classic: ClassicSettings,
    group_id: StrBytes,
    instance_id: Option<StrBytes>,
    backoff: Backoff,
    state: State,
    member_id: StrBytes,
    generation: i32,
    /// The one of the assignors that the group goes by.
    assignor: Option<Arc<dyn PartitionAssignor>>,
    wish: Wish,
    last_assignment: Option<LastAssignment>,
    /// The consumer has been told of the rebalance under way.
    is_told: bool,
    next_heartbeat: Instant,
    failures: u32,
    not_before: Option<Instant>,
    last_poll: Instant,
    notices: VecDeque<Notice>,
}

const NO_GENERATION: i32 = -1;

impl Membership {
    pub(super) fn new(
        settings: GroupSettings,
        classic: ClassicSettings,
        backoff: Backoff,
        now: Instant,
    ) -> Result<Self, ClientError> {
        let instance_id = settings.instance_id.as_deref();
        let instance_id = instance_id.map(|id| wire_text("group.instance.id", id));
        Ok(Self {
            group_id: wire_text("group.id", &settings.id)?,
            instance_id: instance_id.transpose()?,
            settings,
            classic,
            backoff,
            state: State::Out,
            member_id: StrBytes::new(),
            generation: NO_GENERATION,
            assignor: None,
            wish: Wish::default(),
            last_assignment: None,
            is_told: false,
            next_heartbeat: now,
            failures: 0,
            not_before: None,
            last_poll: now,
            notices: VecDeque::new(),
        })
    }

    pub(super) fn notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// The consumer has let go what it must, and wants to be a member so.
    pub(super) fn join(&mut self, wish: Wish) {
        if self.state == State::Failed {
            return;
        }
        self.wish = wish;
        self.is_told = false;
        self.not_before = None;
        self.state = State::Joining;
    }

    pub(super) fn polled(&mut self, at: Instant) {
        self.last_poll = self.last_poll.max(at);
    }

    /// How long a join may take: the coordinator waits for all members' rebalance timeouts.
    pub(super) fn join_timeout(&self, request_timeout: Duration) -> Duration {
        let rebalance = self.settings.poll_interval_max;
        request_timeout.max(rebalance.saturating_add(Duration::from_secs(5)))
    }

    pub(super) fn next(&mut self, now: Instant) -> Step {
        if let Some(at) = self.not_before.filter(|at| *at > now) {
            return Step::Wait(Some(at));
        }
        match &self.state {
            State::Out | State::Failed => Step::Wait(None),
            State::Joining => Step::Join(self.join_request()),
            State::Leading(members) => Step::LookUp(leader::topics_of(members)),
            State::Syncing(assignments) => Step::Sync(self.sync_request(assignments.clone())),
            State::Stable => self.stable(now),
        }
    }

    fn stable(&mut self, now: Instant) -> Step {
        let polls_until = self.last_poll.checked_add(self.settings.poll_interval_max);
        if polls_until.is_some_and(|until| until <= now) {
            tracing::warn!(
                group = %self.settings.id,
                "no poll for max.poll.interval.ms: the member leaves the group"
            );
            let request = self.leave_request("consumer poll timeout has expired.");
            self.lose(ErrorCode::UnknownMemberId, true);
            return match request {
                Some(request) => Step::Leave(request),
                None => Step::Wait(None),
            };
        }
        if self.next_heartbeat > now {
            let until = polls_until.map_or(self.next_heartbeat, |at| at.min(self.next_heartbeat));
            return Step::Wait(Some(until));
        }
        self.next_heartbeat = now + self.classic.heartbeat_interval;
        Step::Heartbeat(HeartbeatRequest {
            group_id: self.group_id.clone(),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
            ..Default::default()
        })
    }

    fn join_request(&self) -> JoinGroupRequest {
        let mut subscription = Subscription {
            topics: self.wish.topics.clone(),
            owned: self.wish.owned.clone(),
            generation: self.generation,
            rack: self.settings.rack.clone(),
            user_data: None,
        };
        let protocol = |assignor: &Arc<dyn PartitionAssignor>| {
            subscription.user_data = assignor.user_data(self.last_assignment.as_ref());
            JoinGroupRequestProtocol {
                name: assignor.name().into(),
                metadata: encode_subscription(&subscription),
                ..Default::default()
            }
        };
        JoinGroupRequest {
            group_id: self.group_id.clone(),
            session_timeout_ms: ms(self.classic.session_timeout),
            rebalance_timeout_ms: ms(self.settings.poll_interval_max),
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
            protocol_type: StrBytes::from_static(PROTOCOL_TYPE),
            protocols: self.classic.assignors.iter().map(protocol).collect(),
            ..Default::default()
        }
    }

    fn sync_request(&self, assignments: Vec<SyncGroupRequestAssignment>) -> SyncGroupRequest {
        SyncGroupRequest {
            group_id: self.group_id.clone(),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
            protocol_type: Some(StrBytes::from_static(PROTOCOL_TYPE)),
            protocol_name: self.assignor.as_ref().map(|known| known.name().into()),
            assignments,
            ..Default::default()
        }
    }

    /// The farewell; none where there is nobody to say it to, or the member is static and expected back.
    pub(super) fn leave_request(&self, reason: &str) -> Option<LeaveGroupRequest> {
        if self.instance_id.is_some() || self.member_id.is_empty() {
            return None;
        }
        Some(LeaveGroupRequest {
            group_id: self.group_id.clone(),
            // Versions before 3 know one member, later ones a list.
            member_id: self.member_id.clone(),
            members: vec![MemberIdentity {
                member_id: self.member_id.clone(),
                reason: Some(reason.into()),
                ..Default::default()
            }],
            ..Default::default()
        })
    }

    pub(super) fn joined(
        &mut self,
        outcome: Result<JoinGroupResponse, ClientError>,
        now: Instant,
    ) -> Coordinator {
        let response = match outcome {
            Ok(response) => response,
            Err(error) => return self.unanswered(error, now),
        };
        match ErrorCode::from_code(response.error_code) {
            ErrorCode::None => {
                self.settle();
                self.take_join(response);
                Coordinator::Keep
            }
            ErrorCode::MemberIdRequired => {
                self.member_id = response.member_id.detached();
                Coordinator::Keep
            }
            error @ ErrorCode::UnknownMemberId if self.owns_partitions() => {
                self.lose(error, true);
                Coordinator::Keep
            }
            ErrorCode::UnknownMemberId => {
                self.forget_member();
                self.retry(now);
                Coordinator::Keep
            }
            ErrorCode::IllegalGeneration
            | ErrorCode::RebalanceInProgress
            | ErrorCode::CoordinatorLoadInProgress => {
                self.retry(now);
                Coordinator::Keep
            }
            error => self.coordinator_error(error, now),
        }
    }

    fn take_join(&mut self, response: JoinGroupResponse) {
        self.generation = response.generation_id;
        self.member_id = response.member_id.detached();
        let protocol = response.protocol_name.unwrap_or_default();
        let mut offered = self.classic.assignors.iter();
        self.assignor = offered.find(|known| known.name() == &*protocol).cloned();
        if self.assignor.is_none() {
            let why = format!("the assignor {protocol} was not offered");
            return self.fail(ErrorCode::InconsistentGroupProtocol, Some(why));
        }
        // Where a static leader has come back, the assignment stands (KIP-814).
        if response.leader != self.member_id || response.skip_assignment {
            self.state = State::Syncing(Vec::new());
            return;
        }
        let decoded: Result<Vec<Member>, _> = response
            .members
            .into_iter()
            .map(|m| decode_member(&m.member_id, m.group_instance_id.as_deref(), m.metadata))
            .collect();
        match decoded {
            Ok(members) => self.state = State::Leading(members),
            Err(error) => self.fail(
                ErrorCode::InconsistentGroupProtocol,
                Some(format!("a member's subscription can't be read: {error}")),
            ),
        }
    }

    /// The leader's work: the assignor's decision about what exists, or none where that can't be found out now.
    pub(super) fn share_out(&mut self, topics: Result<Topics, ClientError>, now: Instant) {
        let (State::Leading(members), Some(assignor)) = (&self.state, &self.assignor) else {
            return;
        };
        let topics = match topics {
            Ok(topics) => topics,
            Err(error) => {
                tracing::warn!(group = %self.settings.id, %error, "the assignment can't be made yet");
                return self.retry(now);
            }
        };
        match leader::assign(&**assignor, self.classic.is_cooperative(), &topics, members) {
            Ok(assignment) => self.give_out(&assignment),
            Err(error) => self.fail(
                ErrorCode::InconsistentGroupProtocol,
                Some(error.to_string()),
            ),
        }
    }
    fn give_out(&mut self, assignment: &Assignment) {
        self.settle();
        let entry = |(id, assigned): (&String, &Assigned)| SyncGroupRequestAssignment {
            member_id: id.into(),
            assignment: encode_assignment(assigned),
            ..Default::default()
        };
        self.state = State::Syncing(assignment.iter().map(entry).collect());
    }

    pub(super) fn synced(
        &mut self,
        outcome: Result<SyncGroupResponse, ClientError>,
        now: Instant,
    ) -> Coordinator {
        let response = match outcome {
            Ok(response) => response,
            Err(error) => {
                // Whether the coordinator heard it is unknown; joining again is always right.
                self.state = State::Joining;
                return self.unanswered(error, now);
            }
        };
        match ErrorCode::from_code(response.error_code) {
            ErrorCode::None => self.take_sync(response.assignment, now),
            ErrorCode::RebalanceInProgress => self.state = State::Joining,
            error @ ErrorCode::UnknownMemberId if self.owns_partitions() => self.lose(error, true),
            error @ ErrorCode::IllegalGeneration if self.owns_partitions() => {
                self.lose(error, false);
            }
            ErrorCode::UnknownMemberId => {
                self.forget_member();
                self.state = State::Joining;
            }
            ErrorCode::IllegalGeneration => {
                self.generation = NO_GENERATION;
                self.state = State::Joining;
            }
            error => {
                self.state = State::Joining;
                return self.coordinator_error(error, now);
            }
        }
        Coordinator::Keep
    }

    fn take_sync(&mut self, assignment: Bytes, now: Instant) {
        self.settle();
        let assigned = match decode_assignment(assignment) {
            Ok(assigned) => assigned,
            Err(error) => {
                let why = format!("the assignment can't be read: {error}");
                return self.fail(ErrorCode::InconsistentGroupProtocol, Some(why));
            }
        };
        if let Some(assignor) = &self.assignor {
            assignor.on_assignment(&assigned, self.generation);
        }
        self.last_assignment = Some(LastAssignment {
            partitions: assigned.partitions.clone(),
            generation: self.generation,
        });
        self.state = State::Stable;
        self.is_told = false;
        self.next_heartbeat = now + self.classic.heartbeat_interval;
        let identity = Identity::new(self.member_id.clone(), self.generation);
        self.notices.push_back(Notice::Assigned {
            identity,
            partitions: assigned.partitions,
        });
    }

    pub(super) fn beaten(
        &mut self,
        outcome: Result<HeartbeatResponse, ClientError>,
        now: Instant,
    ) -> Coordinator {
        let response = match outcome {
            Ok(response) => response,
            Err(error) => return self.unanswered(error, now),
        };
        match ErrorCode::from_code(response.error_code) {
            ErrorCode::None => self.settle(),
            ErrorCode::RebalanceInProgress => {
                self.settle();
                // Told once; until the consumer lets go, heartbeats keep the member alive.
                if !std::mem::replace(&mut self.is_told, true) {
                    self.notices.push_back(Notice::Rebalance);
                }
            }
            error @ ErrorCode::IllegalGeneration => self.lose(error, false),
            error @ ErrorCode::UnknownMemberId => self.lose(error, true),
            ErrorCode::CoordinatorLoadInProgress => self.retry(now),
            error => return self.coordinator_error(error, now),
        }
        Coordinator::Keep
    }

    /// A commit made as this identity has told what a heartbeat is still to tell.
    pub(super) fn commit_refused(&mut self, identity: &Identity, error: ErrorCode, now: Instant) {
        let is_current = self.state == State::Stable
            && identity.generation_or_epoch() == self.generation
            && identity.member_id == self.member_id;
        if is_current {
            let response = HeartbeatResponse {
                error_code: error.code(),
                ..Default::default()
            };
            self.beaten(Ok(response), now);
        }
    }

    /// Whether there is something to be lost, besides a name.
    fn owns_partitions(&self) -> bool {
        !self.wish.owned.is_empty()
    }

    /// Errors that mean the same wherever they come.
    fn coordinator_error(&mut self, error: ErrorCode, now: Instant) -> Coordinator {
        match error {
            ErrorCode::CoordinatorNotAvailable
            | ErrorCode::NotCoordinator
            | ErrorCode::RequestTimedOut => {
                self.retry(now);
                Coordinator::Forget
            }
            ErrorCode::FencedInstanceId => {
                let instance = self.settings.instance_id.clone().unwrap_or_default();
                self.state = State::Failed;
                let failure = ConsumerError::Fenced(instance);
                self.notices.push_back(Notice::Failed(failure));
                Coordinator::Keep
            }
            error => {
                self.fail(error, None);
                Coordinator::Keep
            }
        }
    }

    fn unanswered(&mut self, error: ClientError, now: Instant) -> Coordinator {
        let is_unlucky = error.may_pass() || matches!(error, ClientError::TimedOut { .. });
        if !is_unlucky {
            self.state = State::Failed;
            self.notices.push_back(Notice::Failed(match error {
                ClientError::Api(error) => ConsumerError::Group {
                    group: self.settings.id.clone(),
                    error,
                },
                other => other.into(),
            }));
            return Coordinator::Keep;
        }
        tracing::debug!(group = %self.settings.id, %error, "the coordinator did not answer");
        self.retry(now);
        Coordinator::Forget
    }

    fn fail(&mut self, code: ErrorCode, message: Option<String>) {
        self.state = State::Failed;
        let error = ApiError { code, message };
        let group = self.settings.id.clone();
        self.notices
            .push_back(Notice::Failed(ConsumerError::Group { group, error }));
    }

    fn lose(&mut self, error: ErrorCode, forget: bool) {
        if forget {
            self.forget_member();
        }
        self.generation = NO_GENERATION;
        self.state = State::Out;
        self.notices
            .push_back(Notice::Lost(ApiError::of_code(error)));
    }

    fn forget_member(&mut self) {
        self.member_id = StrBytes::new();
        self.generation = NO_GENERATION;
    }

    fn settle(&mut self) {
        self.failures = 0;
        self.not_before = None;
    }

    fn retry(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now + self.backoff.after(self.failures));
        // A heartbeat that failed is due again at once.
        self.next_heartbeat = now;
    }
}

fn ms(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

#[cfg(test)]
#[path = "membership_tests.rs"]
mod tests;
