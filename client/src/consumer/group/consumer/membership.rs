//! A member of a group whose coordinator assigns (KIP-848): what it says in its next heartbeat, and what the answers
//! mean.
//!
//! Pure: time and the member's id come in. Always: one heartbeat at a time; a heartbeat says what the coordinator can't
//! know yet, and everything after one that failed; an assignment is acknowledged once the consumer has taken it over.
//! Not here: sockets, names of topics, the partitions, committing.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use ottla_protocol::{
    errors::ErrorCode,
    messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse},
    wire::{StrBytes, Uuid},
};

use crate::{
    cluster::Backoff,
    conn::RequestError,
    consumer::{error::ConsumerError, settings::GroupSettings},
    error::{ApiError, ClientError, wire_text},
};

use super::{
    super::{
        handle::{Identity, Notice, Wish},
        membership::Coordinator,
    },
    reconciliation::{Reconciliation, Round},
};

/// What the member wants to be done now.
#[derive(Debug)]
pub(super) enum Step {
    Heartbeat(ConsumerGroupHeartbeatRequest),
    /// Topics are assigned whose names are unknown.
    LookUp(Vec<Uuid>),
    /// `max.poll.interval.ms` has passed without a poll. A heartbeat under way is of no interest any more.
    Leave(ConsumerGroupHeartbeatRequest),
    /// Nothing before this time, an answer, or a word from the consumer.
    Wait(Option<Instant>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Waits for the consumer's word.
    Out,
    /// Joining, while the epoch is that of a join, or joined.
    In,
    /// Nothing more happens.
    Failed,
}

/// What a heartbeat tells beyond who sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    topics: Vec<String>,
    pattern: Option<String>,
    owned: Option<Round>,
}

#[derive(Debug)]
pub(super) struct Membership {
    settings: GroupSettings,
    group_id: StrBytes,
    instance_id: Option<StrBytes>,
    rack: Option<StrBytes>,
    assignor: Option<StrBytes>,
    backoff: Backoff,
    state: State,
    member_id: StrBytes,
    epoch: i32,
    /// What commits carry; its epoch moves on with the member's. Made anew with every membership.
    identity: Identity,
    wish: Wish,
    /// What the coordinator knows; none where that is not certain.
    told: Option<Told>,
    /// The coordinator may have to be told that there is no pattern any more.
    had_pattern: bool,
    reconciliation: Reconciliation,
    is_asking: bool,
    asked_at: Instant,
    next_heartbeat: Instant,
    failures: u32,
    not_before: Option<Instant>,
    is_looking_up: bool,
    lookups: u32,
    look_up_at: Option<Instant>,
    last_poll: Instant,
    notices: VecDeque<Notice>,
}

/// Epochs with a meaning of their own.
const JOIN: i32 = 0;
const LEAVE: i32 = -1;
/// A static member goes and is expected back.
const LEAVE_FOR_A_WHILE: i32 = -2;

impl Membership {
    pub(super) fn new(
        settings: GroupSettings,
        remote_assignor: Option<&str>,
        member_id: Uuid,
        backoff: Backoff,
        now: Instant,
    ) -> Result<Self, ClientError> {
        let text = |what, text: Option<&str>| text.map(|text| wire_text(what, text)).transpose();
        let rack = Some(settings.rack.as_str()).filter(|rack| !rack.is_empty());
        let member_id: StrBytes = member_id.to_string().as_str().into();
        Ok(Self {
            group_id: wire_text("group.id", &settings.id)?,
            instance_id: text("group.instance.id", settings.instance_id.as_deref())?,
            rack: text("client.rack", rack)?,
            assignor: text("group.remote.assignor", remote_assignor)?,
            settings,
            backoff,
            state: State::Out,
            identity: Identity::new(member_id.clone(), JOIN),
            member_id,
            epoch: JOIN,
            wish: Wish::default(),
            told: None,
            had_pattern: false,
            reconciliation: Reconciliation::default(),
            is_asking: false,
            asked_at: now,
            next_heartbeat: now,
            failures: 0,
            not_before: None,
            is_looking_up: false,
            lookups: 0,
            look_up_at: None,
            last_poll: now,
            notices: VecDeque::new(),
        })
    }

    pub(super) fn notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// The consumer wants to be a member with this subscription; one that is, changes its subscription.
    pub(super) fn join(&mut self, wish: Wish) {
        self.had_pattern |= wish.pattern.is_some();
        self.wish = wish;
        if self.state == State::Out {
            self.state = State::In;
            self.epoch = JOIN;
            self.told = None;
            self.not_before = None;
            self.reconciliation = Reconciliation::default();
        }
    }

    /// The consumer has taken over what it was told is assigned.
    pub(super) fn reconciled(&mut self) {
        self.reconciliation.done();
    }

    /// A commit of the membership that lasts was refused: the next heartbeat brings the verdict.
    pub(super) fn commit_refused(&mut self, identity: &Identity, now: Instant) {
        if self.state == State::In && *identity == self.identity {
            self.next_heartbeat = now;
        }
    }

    pub(super) fn polled(&mut self, at: Instant) {
        self.last_poll = self.last_poll.max(at);
    }

    /// Hands the coordinator's assignment on, as far as its topics have names.
    pub(super) fn reconcile(&mut self, name_of: impl Fn(Uuid) -> Option<String>) {
        if self.state != State::In {
            return;
        }
        if let Some(partitions) = self.reconciliation.begin(name_of) {
            self.notices.push_back(Notice::Assigned {
                identity: self.identity.clone(),
                partitions,
            });
        }
    }

    pub(super) fn next(&mut self, now: Instant) -> Step {
        if self.state != State::In {
            return Step::Wait(None);
        }
        let polls_until = self.last_poll.checked_add(self.settings.poll_interval_max);
        if polls_until.is_some_and(|until| until <= now) {
            return self.leave_as_nobody_polls();
        }
        let nameless = self.reconciliation.nameless();
        if nameless.is_empty() {
            self.lookups = 0;
            self.look_up_at = None;
        } else if !self.is_looking_up && self.look_up_at.is_none_or(|at| at <= now) {
            self.is_looking_up = true;
            self.look_up_at = None;
            return Step::LookUp(nameless);
        }
        let heartbeat_at = match self.not_before {
            _ if self.is_asking => None,
            Some(at) if at > now => Some(at),
            _ if self.has_news() => Some(now),
            _ => Some(self.next_heartbeat),
        };
        if heartbeat_at.is_some_and(|at| at <= now) {
            return Step::Heartbeat(self.heartbeat(now));
        }
        let times = [polls_until, heartbeat_at, self.look_up_at];
        Step::Wait(times.into_iter().flatten().min())
    }

    fn leave_as_nobody_polls(&mut self) -> Step {
        tracing::warn!(
            group = %self.settings.id,
            "no poll for max.poll.interval.ms: the member leaves the group"
        );
        let request = self.leave_request();
        self.lose(ErrorCode::UnknownMemberId);
        request.map_or(Step::Wait(None), Step::Leave)
    }

    fn has_news(&self) -> bool {
        self.told.as_ref() != Some(&self.to_tell())
    }

    fn to_tell(&self) -> Told {
        Told {
            topics: self.wish.topics.clone(),
            pattern: self.wish.pattern.clone(),
            owned: self.reconciliation.current().cloned(),
        }
    }

    fn heartbeat(&mut self, now: Instant) -> ConsumerGroupHeartbeatRequest {
        let mut request = self.request(self.epoch);
        let telling = self.to_tell();
        let told = self.told.as_ref();
        if told.is_none() {
            request.rebalance_timeout_ms = ms(self.settings.poll_interval_max);
            request.rack_id = self.rack.clone();
            request.server_assignor = self.assignor.clone();
        }
        if told.is_none_or(|told| told.topics != telling.topics) {
            let topics = telling.topics.iter().map(Into::into);
            request.subscribed_topic_names = Some(topics.collect());
        }
        if told.is_none_or(|told| told.pattern != telling.pattern) && self.had_pattern {
            // None at all is said as an empty one.
            let pattern = telling.pattern.as_deref().unwrap_or_default();
            request.subscribed_topic_regex = Some(pattern.into());
        }
        if told.is_none_or(|told| told.owned != telling.owned) {
            let owned = telling.owned.as_ref().map(Round::to_wire);
            request.topic_partitions = Some(owned.unwrap_or_default());
        }
        self.told = Some(telling);
        self.is_asking = true;
        self.asked_at = now;
        request
    }

    fn request(&self, epoch: i32) -> ConsumerGroupHeartbeatRequest {
        ConsumerGroupHeartbeatRequest {
            group_id: self.group_id.clone(),
            member_id: self.member_id.clone(),
            member_epoch: epoch,
            instance_id: self.instance_id.clone(),
            ..Default::default()
        }
    }

    /// The farewell; none where there is nobody to say it to.
    pub(super) fn leave_request(&self) -> Option<ConsumerGroupHeartbeatRequest> {
        let may_be_member = self.epoch > JOIN || self.is_asking;
        let epoch = match self.instance_id {
            Some(_) => LEAVE_FOR_A_WHILE,
            None => LEAVE,
        };
        (self.state == State::In && may_be_member).then(|| self.request(epoch))
    }

    /// Whether requests need a version that knows patterns.
    pub(super) fn needs_patterns(&self) -> bool {
        self.had_pattern
    }

    /// The lookup of names is over; what it found stands in the metadata.
    pub(super) fn looked_up(&mut self, now: Instant) {
        self.is_looking_up = false;
        self.lookups = self.lookups.saturating_add(1);
        self.look_up_at = Some(now + self.backoff.after(self.lookups));
    }

    pub(super) fn answered(
        &mut self,
        outcome: Result<ConsumerGroupHeartbeatResponse, ClientError>,
        now: Instant,
    ) -> Coordinator {
        self.is_asking = false;
        let response = match outcome {
            Ok(response) => response,
            Err(error) => return self.unanswered(error, now),
        };
        match ApiError::check(response.error_code, response.error_message.as_deref()) {
            Ok(()) => {
                self.take(response, now);
                Coordinator::Keep
            }
            Err(error) => self.refused(error, now),
        }
    }

    fn take(&mut self, response: ConsumerGroupHeartbeatResponse, now: Instant) {
        if response.member_epoch <= JOIN {
            // No epoch of a member: the answer can't be used.
            return self.retry(now);
        }
        self.failures = 0;
        self.not_before = None;
        let interval = u64::try_from(response.heartbeat_interval_ms).unwrap_or(0);
        // An interval of nothing would be a flood.
        let interval = Duration::from_millis(interval.max(1));
        self.next_heartbeat = self.asked_at + interval;
        if self.epoch == JOIN {
            // Version 0 lets the coordinator choose another id.
            if let Some(member_id) = response.member_id.filter(|id| !id.is_empty()) {
                self.member_id = member_id.detached();
            }
            self.identity = Identity::new(self.member_id.clone(), response.member_epoch);
        }
        self.epoch = response.member_epoch;
        self.identity.move_on(self.epoch);
        if let Some(assignment) = response.assignment {
            self.reconciliation.aim_at(assignment.topic_partitions);
        }
    }

    fn refused(&mut self, error: ApiError, now: Instant) -> Coordinator {
        match error.code {
            ErrorCode::FencedMemberEpoch | ErrorCode::UnknownMemberId => self.lose(error.code),
            ErrorCode::CoordinatorLoadInProgress => self.retry(now),
            ErrorCode::TopicAuthorizationFailed => {
                // The membership goes on: rights may be granted later.
                self.notices
                    .push_back(Notice::Trouble(self.of_group(error)));
                self.retry(now);
            }
            ErrorCode::FencedInstanceId => {
                let instance = self.settings.instance_id.clone().unwrap_or_default();
                self.fail(ConsumerError::Fenced(instance));
            }
            ErrorCode::UnreleasedInstanceId => {
                let instance = self.settings.instance_id.clone().unwrap_or_default();
                self.fail(ConsumerError::Unreleased(instance));
            }
            ErrorCode::UnsupportedVersion => self.fail(self.unsupported()),
            code if code.is_retriable() => {
                self.retry(now);
                return Coordinator::Forget;
            }
            _ => self.fail(self.of_group(error)),
        }
        Coordinator::Keep
    }

    fn unanswered(&mut self, error: ClientError, now: Instant) -> Coordinator {
        if error.may_pass() || matches!(error, ClientError::TimedOut { .. }) {
            tracing::debug!(group = %self.settings.id, %error, "the coordinator did not answer");
            self.retry(now);
            return Coordinator::Forget;
        }
        self.fail(match error {
            ClientError::Request(RequestError::Version { .. }) => self.unsupported(),
            ClientError::Api(error) => self.of_group(error),
            other => other.into(),
        });
        Coordinator::Keep
    }

    fn of_group(&self, error: ApiError) -> ConsumerError {
        let group = self.settings.id.clone();
        ConsumerError::Group { group, error }
    }

    fn unsupported(&self) -> ConsumerError {
        let message = match self.had_pattern {
            true => {
                "the cluster does not evaluate patterns of subscriptions (ConsumerGroupHeartbeat \
                 version 1); subscribe to topics by name until it is upgraded"
            }
            false => {
                "the cluster does not support the consumer group protocol (KIP-848); \
                 set group.protocol=classic until it is upgraded"
            }
        };
        self.of_group(ApiError {
            code: ErrorCode::UnsupportedVersion,
            message: Some(message.to_owned()),
        })
    }

    fn fail(&mut self, error: ConsumerError) {
        self.state = State::Failed;
        self.notices.push_back(Notice::Failed(error));
    }

    fn lose(&mut self, code: ErrorCode) {
        self.state = State::Out;
        self.epoch = JOIN;
        self.is_asking = false;
        self.told = None;
        self.reconciliation = Reconciliation::default();
        self.notices
            .push_back(Notice::Lost(ApiError::of_code(code)));
    }

    /// Whether the coordinator has heard the last heartbeat is unknown: the next one says everything.
    fn retry(&mut self, now: Instant) {
        self.told = None;
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now + self.backoff.after(self.failures));
    }
}

fn ms(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

#[cfg(test)]
#[path = "membership_tests.rs"]
mod tests;
