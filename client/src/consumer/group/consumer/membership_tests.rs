//! Stories of one member and a coordinator that assigns.

use ottla_protocol::messages::api::consumer_group_heartbeat::{
    request::TopicPartitions as Owned,
    response::{Assignment, TopicPartitions},
};

use crate::{
    admin::TopicPartition,
    conn::{Endpoint, Fault},
    consumer::settings::GroupProtocol,
};

use super::*;

const A: u128 = 0xa;
const B: u128 = 0xb;

struct Story {
    member: Membership,
    now: Instant,
}

fn settings() -> GroupSettings {
    GroupSettings {
        id: "g".to_owned(),
        instance_id: None,
        poll_interval_max: Duration::from_secs(300),
        rack: "r".to_owned(),
        protocol: GroupProtocol::Consumer {
            remote_assignor: Some("uniform".to_owned()),
        },
    }
}

fn topics(names: &[&str]) -> Wish {
    Wish {
        topics: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Wish::default()
    }
}

fn pattern(pattern: &str) -> Wish {
    Wish {
        pattern: Some(pattern.to_owned()),
        ..Wish::default()
    }
}

fn accepted(epoch: i32) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse {
        member_id: Some("me".into()),
        member_epoch: epoch,
        heartbeat_interval_ms: 5000,
        ..Default::default()
    }
}

/// Topics by id with their partitions.
type Given<'a> = &'a [(u128, &'a [i32])];

fn assigning(epoch: i32, given: Given) -> ConsumerGroupHeartbeatResponse {
    let topic = |(id, partitions): &(u128, &[i32])| TopicPartitions {
        topic_id: (*id).into(),
        partitions: partitions.to_vec(),
        ..Default::default()
    };
    ConsumerGroupHeartbeatResponse {
        assignment: Some(Assignment {
            topic_partitions: given.iter().map(topic).collect(),
            ..Default::default()
        }),
        ..accepted(epoch)
    }
}

fn refusing(error: ErrorCode) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse {
        error_code: error.code(),
        ..Default::default()
    }
}

/// Only topic A has a name.
fn only_a(id: Uuid) -> Option<String> {
    (id == A.into()).then(|| "a".to_owned())
}

fn all(id: Uuid) -> Option<String> {
    only_a(id).or_else(|| Some("b".to_owned()))
}

impl Story {
    fn of(change: impl FnOnce(&mut GroupSettings)) -> Self {
        let mut settings = settings();
        change(&mut settings);
        let backoff = Backoff {
            initial: Duration::from_millis(100),
            max: Duration::from_millis(1000),
        };
        let now = Instant::now();
        let member = Membership::new(settings, Some("uniform"), 0x7.into(), backoff, now);
        Self {
            member: member.unwrap(),
            now,
        }
    }

    fn new() -> Self {
        Self::of(|_| {})
    }

    /// In epoch 1 with partitions 0 and 1 of topic A, which the coordinator knows.
    fn stable() -> Self {
        let mut story = Self::new();
        story.member.join(topics(&["a"]));
        story.beats();
        story.hears(assigning(1, &[(A, &[0, 1])]));
        story.takes_over(&["a-0", "a-1"]);
        story.beats();
        story.hears(accepted(1));
        story
    }

    fn pass(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
    }

    fn step(&mut self) -> Step {
        self.member.next(self.now)
    }

    fn beats(&mut self) -> ConsumerGroupHeartbeatRequest {
        match self.step() {
            Step::Heartbeat(request) => request,
            other => panic!("{other:?}"),
        }
    }

    /// How long nothing is to be done.
    fn waits(&mut self) -> Option<Duration> {
        match self.step() {
            Step::Wait(until) => until.map(|until| until - self.now),
            other => panic!("{other:?}"),
        }
    }

    fn hears(&mut self, response: ConsumerGroupHeartbeatResponse) -> Coordinator {
        let verdict = self.member.answered(Ok(response), self.now);
        self.member.reconcile(only_a);
        verdict
    }

    fn hears_nothing(&mut self) -> Coordinator {
        let error = ClientError::Request(RequestError::Connection {
            api: "ConsumerGroupHeartbeat",
            endpoint: Endpoint::new("h", 1),
            fault: Fault::Closed,
        });
        self.member.answered(Err(error), self.now)
    }

    fn notices(&mut self) -> Vec<Notice> {
        std::iter::from_fn(|| self.member.notice()).collect()
    }

    /// The consumer is told that these are its partitions, and says so when it has taken them over.
    fn takes_over(&mut self, wanted: &[&str]) {
        self.is_told(wanted);
        self.member.reconciled();
    }

    fn is_told(&mut self, wanted: &[&str]) {
        let notices = self.notices();
        let Some(Notice::Assigned { partitions, .. }) = notices.last() else {
            panic!("{notices:?}");
        };
        let names: Vec<String> = partitions.iter().map(TopicPartition::to_string).collect();
        assert_eq!(names, wanted);
    }
}

/// What a heartbeat says is owned: topic ids in short, with partitions.
fn owned(request: &ConsumerGroupHeartbeatRequest) -> Option<Vec<(u128, Vec<i32>)>> {
    let topics = request.topic_partitions.as_ref()?;
    let topic = |t: &Owned| (u128::from_be_bytes(t.topic_id.0), t.partitions.clone());
    Some(topics.iter().map(topic).collect())
}

#[test]
fn nothing_is_said_before_the_consumer_wants_to_join() {
    assert_eq!(Story::new().waits(), None);
}

#[test]
fn a_join_says_everything_under_an_id_of_the_members_own() {
    let mut story = Story::new();
    story.member.join(topics(&["a", "b"]));
    let request = story.beats();
    assert_eq!(*request.member_id, Uuid::from(7).to_string());
    assert_eq!(request.member_epoch, 0);
    assert_eq!(request.rebalance_timeout_ms, 300_000);
    assert_eq!(request.rack_id.as_deref(), Some("r"));
    assert_eq!(request.server_assignor.as_deref(), Some("uniform"));
    assert_eq!(request.subscribed_topic_names.unwrap(), ["a", "b"]);
    assert_eq!(request.subscribed_topic_regex, None);
    assert_eq!(request.topic_partitions, Some(vec![]));
}

#[test]
fn an_assignment_is_acknowledged_at_once_when_the_consumer_has_taken_it_over_and_then_heartbeats_are_short()
 {
    let mut story = Story::new();
    story.member.join(topics(&["a"]));
    story.beats();
    assert_eq!(
        story.waits(),
        Some(Duration::from_secs(300)),
        "one at a time"
    );
    story.hears(assigning(1, &[(A, &[0, 1])]));
    story.is_told(&["a-0", "a-1"]);
    assert_eq!(
        story.waits(),
        Some(Duration::from_secs(5)),
        "the consumer is at work"
    );
    story.pass(5000);
    assert_eq!(
        owned(&story.beats()),
        None,
        "nothing to be acknowledged yet"
    );
    story.hears(accepted(1));

    story.member.reconciled();
    let request = story.beats();
    assert_eq!(owned(&request), Some(vec![(A, vec![0, 1])]));
    assert_eq!(request.member_epoch, 1);
    assert_eq!(request.subscribed_topic_names, None);
    assert_eq!(request.rebalance_timeout_ms, -1);
    assert_eq!(request.server_assignor, None);
    story.hears(accepted(2));
    assert_eq!(story.waits(), Some(Duration::from_secs(5)));
    story.pass(5000);
    let request = story.beats();
    assert_eq!((owned(&request), request.member_epoch), (None, 2));
}

#[test]
fn the_first_assignment_is_taken_over_and_acknowledged_even_if_it_is_empty() {
    let mut story = Story::new();
    story.member.join(topics(&["a"]));
    story.beats();
    story.hears(assigning(1, &[]));
    story.takes_over(&[]);
    assert_eq!(owned(&story.beats()), Some(vec![]));
}

#[test]
fn what_commits_carry_moves_on_with_the_epoch_while_the_membership_lasts() {
    let mut story = Story::stable();
    let carried = story.member.identity.clone();
    story.pass(5000);
    story.beats();
    story.hears(accepted(3));
    assert_eq!(carried.generation_or_epoch(), 3);

    story.pass(5000);
    story.beats();
    story.hears(refusing(ErrorCode::FencedMemberEpoch));
    story.member.join(topics(&["a"]));
    story.beats();
    story.hears(accepted(9));
    assert_eq!(
        carried.generation_or_epoch(),
        3,
        "of a membership that is over"
    );
}

#[test]
fn after_a_refused_commit_the_coordinator_is_asked_at_once_what_is_wrong() {
    let mut story = Story::stable();
    let before = Identity::new("me".into(), 0);
    story.member.commit_refused(&before, story.now);
    assert_eq!(story.waits(), Some(Duration::from_secs(5)));
    let carried = story.member.identity.clone();
    story.member.commit_refused(&carried, story.now);
    story.beats();
}

#[test]
fn partitions_are_first_given_up_and_acknowledged_and_the_next_round_waits_for_that() {
    let mut story = Story::stable();
    story.pass(5000);
    story.beats();
    story.hears(assigning(1, &[(A, &[0])]));
    story.is_told(&["a-0"]);
    story.pass(5000);
    story.beats();
    story.hears(assigning(2, &[(A, &[0, 2])]));
    assert!(
        story
            .notices()
            .iter()
            .all(|n| !matches!(n, Notice::Assigned { .. })),
        "the consumer is still at work on the one before"
    );
    story.member.reconciled();
    story.member.reconcile(only_a);
    story.is_told(&["a-0", "a-2"]);
    assert_eq!(owned(&story.beats()), Some(vec![(A, vec![0])]));
    story.hears(accepted(2));
    story.member.reconciled();
    assert_eq!(owned(&story.beats()), Some(vec![(A, vec![0, 2])]));
}

#[test]
fn an_assignment_that_was_taken_back_meanwhile_is_acknowledged_without_the_consumer() {
    let mut story = Story::stable();
    story.pass(5000);
    story.beats();
    story.hears(assigning(2, &[(B, &[0]), (A, &[0, 1])]));
    assert!(matches!(story.step(), Step::LookUp(_)));
    assert_eq!(
        owned(&story.beats()),
        Some(vec![(A, vec![0, 1])]),
        "as far as it has names"
    );
    story.hears(assigning(3, &[(A, &[0, 1])]));
    assert_eq!(owned(&story.beats()), Some(vec![(A, vec![0, 1])]));
    story.hears(accepted(3));
    assert_eq!(story.waits(), Some(Duration::from_secs(5)));
}

#[test]
fn topics_without_a_name_are_looked_up_and_hold_nobody_up() {
    let mut story = Story::new();
    story.member.join(topics(&["a", "b"]));
    story.beats();
    story.hears(assigning(1, &[(A, &[0]), (B, &[7])]));
    story.takes_over(&["a-0"]);
    match story.step() {
        Step::LookUp(ids) => assert_eq!(ids, [B.into()]),
        other => panic!("{other:?}"),
    }
    assert_eq!(owned(&story.beats()), Some(vec![(A, vec![0])]));
    story.hears(accepted(1));
    story.member.looked_up(story.now);
    assert!(story.waits() < Some(Duration::from_millis(130)), "a while");
    story.pass(130);
    assert!(
        matches!(story.step(), Step::LookUp(_)),
        "not found, so again"
    );

    story.member.reconcile(all);
    story.takes_over(&["a-0", "b-7"]);
    assert_eq!(
        owned(&story.beats()),
        Some(vec![(A, vec![0]), (B, vec![7])])
    );
}

#[test]
fn a_first_assignment_waits_for_the_first_name() {
    let mut story = Story::new();
    story.member.join(topics(&["b"]));
    story.beats();
    story.hears(assigning(1, &[(B, &[7])]));
    assert_eq!(story.notices(), []);
    assert!(matches!(story.step(), Step::LookUp(_)));
    story.member.looked_up(story.now);
    story.member.reconcile(all);
    story.takes_over(&["b-7"]);
}

#[test]
fn a_changed_subscription_is_said_at_once_and_alone() {
    let mut story = Story::stable();
    story.member.join(topics(&["a", "b"]));
    let request = story.beats();
    assert_eq!(request.subscribed_topic_names.unwrap(), ["a", "b"]);
    assert_eq!(request.member_epoch, 1);
    assert_eq!(request.topic_partitions, None);
    story.hears(accepted(1));
    assert_eq!(story.waits(), Some(Duration::from_secs(5)));
}

#[test]
fn a_pattern_is_said_and_taken_back_as_an_empty_one() {
    let mut story = Story::new();
    story.member.join(pattern("a.*"));
    assert!(story.member.needs_patterns());
    let request = story.beats();
    assert_eq!(request.subscribed_topic_regex.as_deref(), Some("a.*"));
    assert_eq!(request.subscribed_topic_names, Some(vec![]));
    story.hears(assigning(1, &[]));
    story.takes_over(&[]);
    assert_eq!(story.beats().subscribed_topic_regex, None);
    story.hears(accepted(1));
    story.member.join(topics(&["a"]));
    let request = story.beats();
    assert_eq!(request.subscribed_topic_regex.as_deref(), Some(""));
    assert_eq!(request.subscribed_topic_names.unwrap(), ["a"]);
}

#[test]
fn after_a_heartbeat_without_an_answer_everything_is_said_anew() {
    let mut story = Story::stable();
    story.pass(5000);
    story.beats();
    assert_eq!(story.hears_nothing(), Coordinator::Forget);
    assert!(story.waits() <= Some(Duration::from_millis(120)), "a while");
    story.pass(130);
    let request = story.beats();
    assert_eq!(request.member_epoch, 1);
    assert_eq!(request.rebalance_timeout_ms, 300_000);
    assert_eq!(request.subscribed_topic_names.as_ref().unwrap(), &["a"]);
    assert_eq!(owned(&request), Some(vec![(A, vec![0, 1])]));
    assert_eq!(story.notices().len(), 0, "the partitions stay");
}

#[test]
fn a_coordinator_that_moved_or_is_loading_is_asked_again() {
    for (error, verdict) in [
        (ErrorCode::NotCoordinator, Coordinator::Forget),
        (ErrorCode::CoordinatorNotAvailable, Coordinator::Forget),
        (ErrorCode::CoordinatorLoadInProgress, Coordinator::Keep),
    ] {
        let mut story = Story::stable();
        story.pass(5000);
        story.beats();
        assert_eq!(story.hears(refusing(error)), verdict);
        story.pass(130);
        assert_eq!(owned(&story.beats()), Some(vec![(A, vec![0, 1])]));
        assert_eq!(story.notices().len(), 0);
    }
}

#[test]
fn who_is_fenced_loses_everything_and_joins_anew_on_the_consumers_word() {
    for error in [ErrorCode::FencedMemberEpoch, ErrorCode::UnknownMemberId] {
        let mut story = Story::stable();
        story.pass(5000);
        story.beats();
        assert_eq!(story.hears(refusing(error)), Coordinator::Keep);
        assert_eq!(story.notices(), [Notice::Lost(ApiError::of_code(error))]);
        assert_eq!(story.waits(), None);
        story.member.reconciled();
        story.member.join(topics(&["a"]));
        let request = story.beats();
        assert_eq!((request.member_epoch, owned(&request)), (0, Some(vec![])));
        assert_eq!(request.member_id, "me");
        story.hears(assigning(4, &[(A, &[0])]));
        story.takes_over(&["a-0"]);
    }
}

#[test]
fn who_is_fenced_while_the_consumer_is_at_work_starts_with_an_empty_assignment() {
    let mut story = Story::stable();
    story.pass(5000);
    story.beats();
    story.hears(assigning(1, &[(A, &[0])]));
    story.is_told(&["a-0"]);
    story.pass(5000);
    story.beats();
    story.hears(refusing(ErrorCode::FencedMemberEpoch));
    // The consumer's word was under way.
    story.member.reconciled();
    story.member.join(topics(&["a"]));
    assert_eq!(owned(&story.beats()), Some(vec![]));
}

#[test]
fn without_polls_the_member_leaves_and_has_lost_everything() {
    let mut story = Story::stable();
    story.pass(299_000);
    story.member.polled(story.now);
    story.beats();
    story.hears(accepted(1));
    story.pass(299_999);
    story.beats();
    story.pass(1);
    match story.step() {
        Step::Leave(request) => assert_eq!(request.member_epoch, -1),
        other => panic!("{other:?}"),
    }
    assert!(matches!(story.notices()[..], [Notice::Lost(_)]));
    assert_eq!(story.waits(), None);
    story.member.polled(story.now);
    story.member.join(topics(&["a"]));
    assert_eq!(story.beats().member_epoch, 0);
}

#[test]
fn a_member_says_farewell_and_a_static_one_that_it_will_be_back() {
    let story = Story::stable();
    let request = story.member.leave_request().unwrap();
    assert_eq!((request.member_epoch, &*request.member_id), (-1, "me"));
    assert!(Story::new().member.leave_request().is_none(), "no member");

    let mut story = Story::of(|settings| settings.instance_id = Some("i".to_owned()));
    story.member.join(topics(&["a"]));
    assert_eq!(story.beats().instance_id.as_deref(), Some("i"));
    // Whether the coordinator has heard the join is unknown.
    let request = story.member.leave_request().unwrap();
    assert_eq!(request.member_epoch, -2);
    assert_eq!(request.instance_id.as_deref(), Some("i"));
}

#[test]
fn refusals_that_stay_end_the_membership_and_say_why() {
    for (error, words) in [
        (ErrorCode::UnreleasedInstanceId, "group.instance.id i"),
        (ErrorCode::FencedInstanceId, "group.instance.id i"),
        (ErrorCode::UnsupportedVersion, "set group.protocol=classic"),
        (ErrorCode::UnsupportedAssignor, "group g"),
        (ErrorCode::GroupMaxSizeReached, "group g"),
        (ErrorCode::GroupAuthorizationFailed, "group g"),
        (ErrorCode::InvalidRegularExpression, "group g"),
    ] {
        let mut story = Story::of(|settings| settings.instance_id = Some("i".to_owned()));
        story.member.join(topics(&["a"]));
        story.beats();
        assert_eq!(story.hears(refusing(error)), Coordinator::Keep);
        match &story.notices()[..] {
            [Notice::Failed(error)] => assert!(error.to_string().contains(words), "{error}"),
            other => panic!("{other:?}"),
        }
        story.member.join(topics(&["a"]));
        assert_eq!(story.waits(), None);
        assert!(story.member.leave_request().is_none());
    }
}

#[test]
fn a_broker_without_the_protocol_is_named_with_the_way_out() {
    let mut story = Story::new();
    story.member.join(topics(&["a"]));
    story.beats();
    let error = ClientError::Request(RequestError::Version {
        api: "ConsumerGroupHeartbeat",
        endpoint: Endpoint::new("h", 1),
        ours: 0..=1,
        theirs: None,
    });
    story.member.answered(Err(error), story.now);
    match &story.notices()[..] {
        [Notice::Failed(error)] => {
            let text = error.to_string();
            assert!(text.contains("set group.protocol=classic"), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn missing_rights_on_a_topic_are_told_and_the_membership_goes_on() {
    let mut story = Story::stable();
    story.pass(5000);
    story.beats();
    story.hears(refusing(ErrorCode::TopicAuthorizationFailed));
    assert!(matches!(story.notices()[..], [Notice::Trouble(_)]));
    story.pass(130);
    story.beats();
}

#[test]
fn an_answer_without_an_epoch_is_none() {
    let mut story = Story::new();
    story.member.join(topics(&["a"]));
    story.beats();
    story.hears(accepted(0));
    assert!(story.waits() <= Some(Duration::from_millis(120)));
    story.pass(130);
    assert_eq!(story.beats().member_epoch, 0);
}
