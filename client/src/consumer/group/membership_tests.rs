//! Stories of one member and its coordinator.

use ottla_protocol::messages::api::join_group::response::JoinGroupResponseMember;

use crate::{
    admin::TopicPartition,
    conn::{Endpoint, Fault, RequestError},
    consumer::{assignors::Assignor, settings::GroupProtocol},
};

use super::*;

struct Story {
    member: Membership,
    now: Instant,
}

impl Story {
    fn of(change: impl FnOnce(&mut GroupSettings)) -> Self {
        let mut settings = GroupSettings {
            id: "g".to_owned(),
            instance_id: None,
            poll_interval_max: Duration::from_secs(300),
            rack: String::new(),
            protocol: GroupProtocol::Classic(ClassicSettings {
                session_timeout: Duration::from_secs(45),
                heartbeat_interval: Duration::from_secs(3),
                assignors: vec![Arc::new(Assignor::Range), Arc::new(Assignor::RoundRobin)],
            }),
        };
        change(&mut settings);
        let GroupProtocol::Classic(classic) = settings.protocol.clone() else {
            panic!("{settings:?}");
        };
        let backoff = Backoff {
            initial: Duration::from_millis(100),
            max: Duration::from_millis(1000),
        };
        let now = Instant::now();
        Self {
            member: Membership::new(settings, classic, backoff, now).unwrap(),
            now,
        }
    }

    fn new() -> Self {
        Self::of(|_| {})
    }

    /// Joined as a follower and given a partition.
    fn stable() -> Self {
        let mut story = Self::new();
        story.member.join(wish());
        story.take_part();
        assert!(matches!(
            story.member.notice(),
            Some(Notice::Assigned { .. })
        ));
        story
    }

    fn pass(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
    }

    fn step(&mut self) -> Step {
        self.member.next(self.now)
    }

    fn joins(&mut self) -> JoinGroupRequest {
        match self.step() {
            Step::Join(request) => request,
            other => panic!("{other:?}"),
        }
    }

    fn take_part(&mut self) {
        self.joins();
        assert_eq!(self.joined(ErrorCode::None, "leader"), Coordinator::Keep);
        assert!(matches!(self.step(), Step::Sync(request) if request.assignments.is_empty()));
        assert_eq!(self.synced(ErrorCode::None), Coordinator::Keep);
    }

    fn joined(&mut self, error: ErrorCode, leader: &str) -> Coordinator {
        let metadata = encode_subscription(&Subscription {
            topics: vec!["t".to_owned()],
            ..Default::default()
        });
        let member = |id: &str| JoinGroupResponseMember {
            member_id: id.into(),
            metadata: metadata.clone(),
            ..Default::default()
        };
        let response = JoinGroupResponse {
            error_code: error.code(),
            generation_id: 5,
            protocol_name: Some("range".into()),
            leader: leader.into(),
            member_id: "me".into(),
            members: vec![member("me"), member("you")],
            ..Default::default()
        };
        self.member.joined(Ok(response), self.now)
    }

    fn synced(&mut self, error: ErrorCode) -> Coordinator {
        let response = SyncGroupResponse {
            error_code: error.code(),
            assignment: encode_assignment(&Assigned {
                partitions: vec![TopicPartition::new("t", 1)],
                user_data: None,
            }),
            ..Default::default()
        };
        self.member.synced(Ok(response), self.now)
    }

    fn beaten(&mut self, error: ErrorCode) -> Coordinator {
        let response = HeartbeatResponse {
            error_code: error.code(),
            ..Default::default()
        };
        self.member.beaten(Ok(response), self.now)
    }

    fn heartbeat_is_sent(&mut self) {
        let step = self.step();
        assert!(matches!(step, Step::Heartbeat(_)), "{step:?}");
    }
}

fn wish() -> Wish {
    Wish {
        topics: vec!["t".to_owned()],
        ..Wish::default()
    }
}

fn lost_connection() -> ClientError {
    ClientError::Request(RequestError::Connection {
        api: "JoinGroup",
        endpoint: Endpoint::new("h", 1),
        fault: Fault::Closed,
    })
}

#[test]
fn nothing_is_said_before_the_consumer_wants_to_join() {
    assert!(matches!(Story::new().step(), Step::Wait(None)));
}

#[test]
fn a_new_member_is_given_its_id_and_joins_with_it() {
    let mut story = Story::new();
    story.member.join(wish());
    let request = story.joins();
    assert_eq!(request.member_id, "");
    assert_eq!(request.protocols.len(), 2);
    assert_eq!(
        (request.session_timeout_ms, request.rebalance_timeout_ms),
        (45_000, 300_000)
    );
    story.joined(ErrorCode::MemberIdRequired, "");
    assert_eq!(story.joins().member_id, "me");
}

#[test]
fn a_follower_takes_what_the_leader_gives_it_and_keeps_beating() {
    let mut story = Story::new();
    story.member.join(wish());
    story.take_part();
    let identity = Identity::new("me".into(), 5);
    let partitions = vec![TopicPartition::new("t", 1)];
    let assigned = Notice::Assigned {
        identity,
        partitions,
    };
    assert_eq!(story.member.notice(), Some(assigned));
    assert!(matches!(story.step(), Step::Wait(Some(_))));
    for _ in 0..3 {
        story.pass(3000);
        story.heartbeat_is_sent();
        story.beaten(ErrorCode::None);
    }
}

#[test]
fn a_leader_shares_out_for_all_members() {
    let mut story = Story::new();
    story.member.join(wish());
    story.joins();
    story.joined(ErrorCode::None, "me");
    assert!(matches!(story.step(), Step::LookUp(topics) if topics.contains("t")));
    let topics = Topics::from([("t".to_owned(), vec![BTreeSet::new(); 2])]);
    story.member.share_out(Ok(topics), story.now);
    assert!(matches!(story.step(), Step::Sync(request) if request.assignments.len() == 2));
}

#[test]
fn in_a_rebalance_the_consumer_is_told_once_and_the_member_lives_on_until_it_lets_go() {
    let mut story = Story::stable();
    for _ in 0..2 {
        story.pass(3000);
        story.heartbeat_is_sent();
        story.beaten(ErrorCode::RebalanceInProgress);
    }
    assert_eq!(story.member.notice(), Some(Notice::Rebalance));
    assert_eq!(story.member.notice(), None);
    story.member.join(wish());
    assert_eq!(story.joins().member_id, "me");
    story.joined(ErrorCode::None, "leader");
    story.synced(ErrorCode::None);
    story.pass(3000);
    story.heartbeat_is_sent();
    story.beaten(ErrorCode::RebalanceInProgress);
    assert!(matches!(
        story.member.notice(),
        Some(Notice::Assigned { .. })
    ));
    assert_eq!(
        story.member.notice(),
        Some(Notice::Rebalance),
        "the next one"
    );
}

#[test]
fn a_member_the_group_has_given_up_loses_its_partitions_and_starts_anew() {
    for error in [ErrorCode::UnknownMemberId, ErrorCode::IllegalGeneration] {
        let mut story = Story::stable();
        story.pass(3000);
        story.heartbeat_is_sent();
        story.beaten(error);
        assert_eq!(story.member.notice(), Some(Notice::Lost(error.into())));
        assert!(matches!(story.step(), Step::Wait(None)));
        story.member.join(wish());
        let expected = match error {
            ErrorCode::UnknownMemberId => "",
            _ => "me",
        };
        assert_eq!(story.joins().member_id, expected);
    }
}

#[test]
fn a_rebalance_during_sync_is_joined_at_once_since_nothing_is_held() {
    let mut story = Story::new();
    story.member.join(wish());
    story.joins();
    story.joined(ErrorCode::None, "leader");
    story.synced(ErrorCode::RebalanceInProgress);
    assert_eq!(story.joins().member_id, "me");
    assert_eq!(story.member.notice(), None);
}

#[test]
fn a_coordinator_that_moved_is_looked_up_and_asked_again_after_a_while() {
    let mut story = Story::stable();
    story.pass(3000);
    story.heartbeat_is_sent();
    assert_eq!(story.beaten(ErrorCode::NotCoordinator), Coordinator::Forget);
    assert!(matches!(story.step(), Step::Wait(Some(_))));
    story.pass(200);
    story.heartbeat_is_sent();
    assert_eq!(
        story.member.beaten(Err(lost_connection()), story.now),
        Coordinator::Forget
    );
    assert_eq!(story.member.notice(), None, "the membership stands");
}

#[test]
fn a_join_without_an_answer_is_repeated() {
    let mut story = Story::new();
    story.member.join(wish());
    story.joins();
    assert_eq!(
        story.member.joined(Err(lost_connection()), story.now),
        Coordinator::Forget
    );
    story.pass(200);
    story.joins();
    story.joined(ErrorCode::CoordinatorLoadInProgress, "");
    assert!(matches!(story.step(), Step::Wait(Some(_))));
}

#[test]
fn without_polls_the_member_leaves_and_says_so() {
    let mut story = Story::of(|settings| settings.poll_interval_max = Duration::from_secs(4));
    story.member.join(wish());
    story.take_part();
    story.member.notice();
    story.pass(2000);
    story.member.polled(story.now);
    story.pass(3000);
    story.heartbeat_is_sent();
    story.pass(1000);
    let step = story.step();
    assert!(
        matches!(&step, Step::Leave(request) if request.member_id == "me"),
        "{step:?}"
    );
    assert!(matches!(story.member.notice(), Some(Notice::Lost(_))));
}

#[test]
fn a_static_member_says_no_farewell_and_is_fenced_by_its_successor() {
    let mut story = Story::of(|settings| settings.instance_id = Some("i".to_owned()));
    story.member.join(wish());
    assert_eq!(story.joins().group_instance_id.as_deref(), Some("i"));
    story.take_part();
    story.member.notice();
    assert!(story.member.leave_request("bye").is_none());
    story.pass(3000);
    story.heartbeat_is_sent();
    story.beaten(ErrorCode::FencedInstanceId);
    let fenced = Notice::Failed(ConsumerError::Fenced("i".to_owned()));
    assert_eq!(story.member.notice(), Some(fenced));
    story.member.join(wish());
    assert!(matches!(story.step(), Step::Wait(None)), "for good");
}

#[test]
fn what_the_group_refuses_for_good_ends_the_membership() {
    for error in [
        ErrorCode::GroupAuthorizationFailed,
        ErrorCode::InconsistentGroupProtocol,
        ErrorCode::InvalidSessionTimeout,
        ErrorCode::GroupMaxSizeReached,
    ] {
        let mut story = Story::new();
        story.member.join(wish());
        story.joins();
        story.joined(error, "");
        let notice = story.member.notice();
        assert!(matches!(&notice, Some(Notice::Failed(failure)) if failure.code() == Some(error)));
    }
}

#[test]
fn what_is_kept_over_a_rebalance_is_lost_when_the_group_has_given_the_member_up() {
    for is_joining in [true, false] {
        let mut story = Story::stable();
        story.member.join(Wish {
            owned: vec![TopicPartition::new("t", 1)],
            ..wish()
        });
        story.joins();
        if is_joining {
            story.joined(ErrorCode::UnknownMemberId, "");
        } else {
            story.joined(ErrorCode::None, "leader");
            story.synced(ErrorCode::UnknownMemberId);
        }
        let lost = Notice::Lost(ErrorCode::UnknownMemberId.into());
        assert_eq!(story.member.notice(), Some(lost));
        assert!(matches!(story.step(), Step::Wait(None)));
    }
}

#[test]
fn a_refused_commit_is_believed_if_it_was_made_in_this_generation() {
    let mut story = Story::stable();
    let identity = |generation| Identity::new("me".into(), generation);
    let refused = ErrorCode::IllegalGeneration;
    story
        .member
        .commit_refused(&identity(4), refused, story.now);
    assert_eq!(story.member.notice(), None);
    story
        .member
        .commit_refused(&identity(5), refused, story.now);
    assert_eq!(story.member.notice(), Some(Notice::Lost(refused.into())));
}
