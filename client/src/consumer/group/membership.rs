//! A member of a classic group: what it says to the coordinator next, and what the answers mean.
//!
//! Pure: time comes in. Always: one request at a time; a join follows only on the consumer's word, as that has to let
//! its partitions go first; after a failure the member either knows its generation is over or goes on as it was.
//! Not here: sockets, the partitions, committing.

use std::{
    collections::VecDeque,
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
    admin::TopicPartition,
    cluster::Backoff,
    consumer::{
        assignors::{Assignment, Assignor, Member},
        error::ConsumerError,
        settings::GroupSettings,
    },
    error::{ApiError, ClientError, wire_text},
};

use super::protocol::{
    PROTOCOL_TYPE, Subscription, decode_assignment, decode_member, encode_assignment,
    encode_subscription,
};

/// Who the member is to the coordinator; commits carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) generation: i32,
    pub(crate) member_id: StrBytes,
}

/// What the member wants to be done now.
#[derive(Debug)]
pub(super) enum Step {
    Join(JoinGroupRequest),
    /// This member leads: the partitions of these members' topics are to be shared out.
    Assign {
        assignor: Assignor,
        members: Vec<Member>,
    },
    Sync(SyncGroupRequest),
    Heartbeat(HeartbeatRequest),
    /// `max.poll.interval.ms` has passed without a poll.
    Leave(LeaveGroupRequest),
    /// Nothing before this time or a word from the consumer.
    Wait(Option<Instant>),
}

/// What the consumer is to know.
#[derive(Debug, PartialEq)]
pub(in crate::consumer) enum Notice {
    /// The group rebalances: let the partitions go and join again.
    Rebalance,
    /// The partitions belong to others already: drop them and join again.
    Lost(ApiError),
    Assigned {
        identity: Identity,
        partitions: Vec<TopicPartition>,
    },
    /// The group can't be used.
    Failed(ConsumerError),
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
    Leading {
        assignor: Assignor,
        members: Vec<Member>,
    },
    Syncing(Vec<SyncGroupRequestAssignment>),
    Stable,
    /// Nothing more happens.
    Failed,
}

#[derive(Debug)]
pub(super) struct Membership {
    settings: GroupSettings,
    group_id: StrBytes,
    instance_id: Option<StrBytes>,
    backoff: Backoff,
    state: State,
    member_id: StrBytes,
    generation: i32,
    protocol: StrBytes,
    subscription: Subscription,
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
        backoff: Backoff,
        now: Instant,
    ) -> Result<Self, ClientError> {
        let instance_id = settings.instance_id.as_deref();
        let instance_id = instance_id.map(|id| wire_text("group.instance.id", id));
        Ok(Self {
            group_id: wire_text("group.id", &settings.id)?,
            instance_id: instance_id.transpose()?,
            settings,
            backoff,
            state: State::Out,
            member_id: StrBytes::new(),
            generation: NO_GENERATION,
            protocol: StrBytes::new(),
            subscription: Subscription::default(),
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

    /// The consumer has let its partitions go and wants to be a member with these topics.
    pub(super) fn join(&mut self, topics: Vec<String>) {
        if self.state == State::Failed {
            return;
        }
        self.subscription.topics = topics;
        self.subscription.rack = self.settings.rack.clone();
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
            State::Leading { assignor, members } => Step::Assign {
                assignor: *assignor,
                members: members.clone(),
            },
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
        self.next_heartbeat = now + self.settings.heartbeat_interval;
        Step::Heartbeat(HeartbeatRequest {
            group_id: self.group_id.clone(),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
            ..Default::default()
        })
    }

    fn join_request(&self) -> JoinGroupRequest {
        let metadata = encode_subscription(&Subscription {
            generation: self.generation,
            ..self.subscription.clone()
        });
        let protocol = |assignor: &Assignor| JoinGroupRequestProtocol {
            name: StrBytes::from_static(assignor.name()),
            metadata: metadata.clone(),
            ..Default::default()
        };
        JoinGroupRequest {
            group_id: self.group_id.clone(),
            session_timeout_ms: ms(self.settings.session_timeout),
            rebalance_timeout_ms: ms(self.settings.poll_interval_max),
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
            protocol_type: StrBytes::from_static(PROTOCOL_TYPE),
            protocols: self.settings.assignors.iter().map(protocol).collect(),
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
            protocol_name: Some(self.protocol.clone()),
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
        self.protocol = response.protocol_name.unwrap_or_default().detached();
        if response.leader != self.member_id {
            self.state = State::Syncing(Vec::new());
            return;
        }
        if response.skip_assignment {
            // A static leader has come back and the assignment stands (KIP-814).
            self.state = State::Syncing(Vec::new());
            return;
        }
        let decoded: Result<Vec<Member>, _> = response
            .members
            .into_iter()
            .map(|m| decode_member(&m.member_id, m.group_instance_id.as_deref(), m.metadata))
            .collect();
        match (Assignor::of_name(&self.protocol), decoded) {
            (Some(assignor), Ok(members)) => self.state = State::Leading { assignor, members },
            (None, _) => self.fail(ApiError {
                code: ErrorCode::InconsistentGroupProtocol,
                message: Some(format!("the assignor {} was not offered", self.protocol)),
            }),
            (_, Err(error)) => self.fail(ApiError {
                code: ErrorCode::InconsistentGroupProtocol,
                message: Some(format!("a member's subscription can't be read: {error}")),
            }),
        }
    }

    /// The leader's decision, or why it could not be made.
    pub(super) fn assigned(&mut self, outcome: Result<Assignment, ClientError>, now: Instant) {
        let assignment = match outcome {
            Ok(assignment) => assignment,
            Err(error) => {
                tracing::warn!(group = %self.settings.id, %error, "the assignment can't be made yet");
                self.retry(now);
                return;
            }
        };
        self.settle();
        let entry =
            |(id, partitions): (&String, &Vec<TopicPartition>)| SyncGroupRequestAssignment {
                member_id: id.into(),
                assignment: encode_assignment(partitions),
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
        let partitions = match decode_assignment(assignment) {
            Ok(partitions) => partitions,
            Err(error) => {
                return self.fail(ApiError {
                    code: ErrorCode::InconsistentGroupProtocol,
                    message: Some(format!("the assignment can't be read: {error}")),
                });
            }
        };
        self.state = State::Stable;
        self.is_told = false;
        self.next_heartbeat = now + self.settings.heartbeat_interval;
        let identity = Identity {
            generation: self.generation,
            member_id: self.member_id.clone(),
        };
        self.notices.push_back(Notice::Assigned {
            identity,
            partitions,
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
                self.fail(ApiError::of_code(error));
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

    fn fail(&mut self, error: ApiError) {
        self.state = State::Failed;
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
