//! Incremental fetch sessions: what is read, what is told, and whose session goes when there is no room.

use ottla_coordination::fetch_session::{
    FINAL_EPOCH, FetchContext, FetchPartition, FetchSessions, Finished, INITIAL_EPOCH, NO_SESSION,
    PartitionKey, PartitionResult, SessionRequest, TopicNaming, TopicRef,
};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::Millis;
use ottla_protocol::wire::Uuid;

const EVICTION_MS: i64 = 120_000;
const NOTHING: PartitionResult = PartitionResult {
    has_records: false,
    high_watermark: 10,
    log_start_offset: 0,
    error: ErrorCode::None,
    must_tell: false,
    is_settled: false,
};
const SETTLED: PartitionResult = PartitionResult {
    is_settled: true,
    ..NOTHING
};
const RECORDS: PartitionResult = PartitionResult {
    has_records: true,
    ..NOTHING
};

fn cache(slots: usize) -> FetchSessions {
    FetchSessions::new(slots, EVICTION_MS)
}

fn key(name: &str, partition: i32) -> PartitionKey {
    PartitionKey {
        topic: TopicRef::Name(name.into()),
        partition,
    }
}

fn wants(name: &str, partition: i32, fetch_offset: i64) -> FetchPartition {
    FetchPartition {
        key: key(name, partition),
        current_leader_epoch: -1,
        fetch_offset,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        max_bytes: 1_000,
    }
}

fn request(id: i32, epoch: i32, partitions: &[FetchPartition]) -> SessionRequest {
    SessionRequest {
        session_id: id,
        session_epoch: epoch,
        naming: TopicNaming::Names,
        partitions: partitions.to_vec(),
        forgotten: Vec::new(),
        is_follower: false,
    }
}

/// Opens a session over partitions 0, 1, 2 of `t` that have nothing new.
fn opened(sessions: &mut FetchSessions) -> i32 {
    let partitions = [wants("t", 0, 5), wants("t", 1, 5), wants("t", 2, 5)];
    let context = sessions
        .begin(Millis(0), request(NO_SESSION, INITIAL_EPOCH, &partitions))
        .expect("a full fetch");
    let finished = sessions.finish(Millis(0), &context, &[NOTHING; 3], 77);
    assert_eq!(
        finished.include, [true; 3],
        "a full answer tells everything"
    );
    finished.session_id
}

fn order(context: &FetchContext) -> Vec<i32> {
    context.partitions.iter().map(|p| p.key.partition).collect()
}

fn incremental(
    sessions: &mut FetchSessions,
    id: i32,
    epoch: i32,
    results: &[PartitionResult],
) -> Finished {
    let context = sessions
        .begin(Millis(0), request(id, epoch, &[]))
        .expect("the session");
    sessions.finish(Millis(0), &context, results, 0)
}

#[test]
fn what_has_not_changed_is_not_told_again() {
    let mut sessions = cache(10);
    let id = opened(&mut sessions);
    assert_eq!(id, 77);
    let quiet = incremental(&mut sessions, id, 1, &[NOTHING; 3]);
    assert_eq!((quiet.session_id, quiet.include), (id, vec![false; 3]));
    let watermark = PartitionResult {
        high_watermark: 11,
        ..NOTHING
    };
    let start = PartitionResult {
        log_start_offset: 3,
        ..NOTHING
    };
    let diverging = PartitionResult {
        must_tell: true,
        ..NOTHING
    };
    let told = incremental(&mut sessions, id, 2, &[watermark, start, diverging]);
    assert_eq!(told.include, [true; 3]);
    let again = incremental(&mut sessions, id, 3, &[watermark, start, NOTHING]);
    assert_eq!(again.include, [false; 3]);
}

#[test]
fn after_an_error_the_partition_is_told_even_if_nothing_is_new() {
    let mut sessions = cache(10);
    let id = opened(&mut sessions);
    let error = PartitionResult {
        error: ErrorCode::NotLeaderOrFollower,
        ..NOTHING
    };
    let told = incremental(&mut sessions, id, 1, &[error, NOTHING, NOTHING]);
    assert_eq!(told.include, [true, false, false]);
    let told = incremental(&mut sessions, id, 2, &[NOTHING; 3]);
    assert_eq!(told.include, [true, false, false]);
}

#[test]
fn a_partition_that_gave_records_is_read_last_next_time() {
    let mut sessions = cache(10);
    let id = opened(&mut sessions);
    let told = incremental(&mut sessions, id, 1, &[RECORDS, NOTHING, NOTHING]);
    assert_eq!(told.include, [true, false, false]);
    let context = sessions
        .begin(Millis(0), request(id, 2, &[]))
        .expect("the session");
    assert_eq!(order(&context), [1, 2, 0]);
}

/// What the next fetch of a session looks at, which then finds nothing to wait for.
fn looked_at(sessions: &mut FetchSessions, request: SessionRequest) -> Vec<i32> {
    let context = sessions.begin(Millis(0), request).expect("the session");
    let results = vec![SETTLED; context.partitions.len()];
    let _ = sessions.finish(Millis(0), &context, &results, 0);
    order(&context)
}

#[test]
fn what_is_settled_is_not_looked_at_until_it_has_changed() {
    let mut sessions = cache(10);
    let id = opened(&mut sessions);
    let told = incremental(&mut sessions, id, 1, &[SETTLED, NOTHING, SETTLED]);
    assert_eq!(told.include, [false; 3]);
    assert_eq!(looked_at(&mut sessions, request(id, 2, &[])), [1]);
    assert!(looked_at(&mut sessions, request(id, 3, &[])).is_empty());
    sessions.changed(id, &[2, 0, 17]);
    assert_eq!(looked_at(&mut sessions, request(id, 4, &[])), [0, 2]);
    assert!(looked_at(&mut sessions, request(id, 5, &[])).is_empty());
}

#[test]
fn what_is_settled_is_looked_at_when_the_client_asks_for_it_anew() {
    let mut sessions = cache(10);
    let id = opened(&mut sessions);
    assert_eq!(looked_at(&mut sessions, request(id, 1, &[])), [0, 1, 2]);
    let anew = request(id, 2, &[wants("t", 1, 3)]);
    assert_eq!(looked_at(&mut sessions, anew), [1]);
}

#[test]
fn a_change_of_what_gave_records_meanwhile_or_is_forgotten_is_nothing() {
    let mut sessions = cache(10);
    let id = opened(&mut sessions);
    let _ = incremental(&mut sessions, id, 1, &[RECORDS, SETTLED, SETTLED]);
    let mut forgets = request(id, 2, &[]);
    forgets.forgotten.push(key("t", 1));
    assert_eq!(looked_at(&mut sessions, forgets), [0], "it stands last");
    // The places where the two of them stood.
    sessions.changed(id, &[0, 1]);
    assert!(looked_at(&mut sessions, request(id, 3, &[])).is_empty());
}

#[test]
fn a_fetch_that_waits_looks_at_what_has_changed_too() {
    let mut sessions = cache(10);
    let id = opened(&mut sessions);
    let _ = incremental(&mut sessions, id, 1, &[NOTHING, SETTLED, SETTLED]);
    let mut waiting = sessions
        .begin(Millis(0), request(id, 2, &[]))
        .expect("the session");
    assert_eq!(order(&waiting), [0]);
    assert!(sessions.look_again(&mut waiting, &[2]));
    assert_eq!(order(&waiting), [0, 2]);
    let told = sessions.finish(Millis(0), &waiting, &[SETTLED, RECORDS], 0);
    assert_eq!(told.include, [false, true]);
    assert_eq!(looked_at(&mut sessions, request(id, 3, &[])), [2]);
}

#[test]
fn what_a_fetch_that_was_overtaken_found_settled_is_looked_at() {
    let mut sessions = cache(10);
    let id = opened(&mut sessions);
    let mut slow = sessions
        .begin(Millis(0), request(id, 1, &[]))
        .expect("the session");
    assert_eq!(looked_at(&mut sessions, request(id, 2, &[])), [0, 1, 2]);
    let overtaken = sessions.finish(Millis(0), &slow, &[SETTLED; 3], 0);
    assert_eq!(overtaken.error, ErrorCode::InvalidFetchSessionEpoch);
    assert!(!sessions.look_again(&mut slow, &[1]), "nothing to wait for");
    assert_eq!(looked_at(&mut sessions, request(id, 3, &[])), [1]);
}

#[test]
fn a_session_that_waits_with_nothing_to_look_at_is_not_a_fetch_of_nothing() {
    let mut sessions = cache(10);
    let id = opened(&mut sessions);
    let _ = looked_at(&mut sessions, request(id, 1, &[]));
    let idle = sessions.begin(Millis(0), request(id, 2, &[]));
    assert!(!idle.expect("the session").wants_nothing());
    let nothing = sessions.begin(Millis(0), request(NO_SESSION, FINAL_EPOCH, &[]));
    assert!(nothing.expect("a full fetch").wants_nothing());
}

#[test]
fn partitions_are_changed_added_and_forgotten() {
    let mut sessions = cache(10);
    let id = opened(&mut sessions);
    let mut changes = request(id, 1, &[wants("t", 1, 9), wants("u", 4, 0)]);
    changes.forgotten.push(key("t", 0));
    let context = sessions.begin(Millis(0), changes).expect("the session");
    assert_eq!(order(&context), [1, 2, 4]);
    assert_eq!(context.partitions[0].fetch_offset, 9);
    let finished = sessions.finish(Millis(0), &context, &[NOTHING; 3], 0);
    assert_eq!(finished.include, [false, false, true], "u-4 is new");
}

#[test]
fn a_session_without_partitions_is_over() {
    let mut sessions = cache(10);
    let id = opened(&mut sessions);
    let mut changes = request(id, 1, &[]);
    changes.forgotten.extend((0..3).map(|n| key("t", n)));
    let context = sessions.begin(Millis(0), changes).expect("the session");
    let finished = sessions.finish(Millis(0), &context, &[], 0);
    assert_eq!(finished.session_id, NO_SESSION);
    assert!(sessions.is_empty());
}

#[test]
fn epochs_must_follow_each_other_and_start_over_with_one() {
    let mut sessions = cache(10);
    let id = opened(&mut sessions);
    let begin = |sessions: &mut FetchSessions, id, epoch| {
        sessions
            .begin(Millis(0), request(id, epoch, &[]))
            .map(|context| context.partitions.len())
    };
    let wrong = Err(ErrorCode::InvalidFetchSessionEpoch);
    assert_eq!(begin(&mut sessions, id, 2), wrong);
    assert_eq!(begin(&mut sessions, id, 1), Ok(3));
    assert_eq!(begin(&mut sessions, id, 1), wrong);
    assert_eq!(
        begin(&mut sessions, id + 1, 1),
        Err(ErrorCode::FetchSessionIdNotFound)
    );
}

#[test]
fn a_fetch_overtaken_by_the_next_one_of_its_session_fails() {
    let mut sessions = cache(10);
    let id = opened(&mut sessions);
    let slow = sessions
        .begin(Millis(0), request(id, 1, &[]))
        .expect("the session");
    let _ = incremental(&mut sessions, id, 2, &[NOTHING; 3]);
    let finished = sessions.finish(Millis(0), &slow, &[RECORDS; 3], 0);
    assert_eq!(finished.error, ErrorCode::InvalidFetchSessionEpoch);
    assert_eq!(finished.include, [false; 3]);
}

#[test]
fn a_session_names_topics_in_one_way() {
    let mut sessions = cache(10);
    let id = opened(&mut sessions);
    let by_id = SessionRequest {
        naming: TopicNaming::Ids,
        ..request(id, 1, &[])
    };
    let error = sessions.begin(Millis(0), by_id).expect_err("refused");
    assert_eq!(error, ErrorCode::FetchSessionTopicIdError);
}

#[test]
fn topics_by_id_make_a_session_of_their_own_kind() {
    let mut sessions = cache(10);
    let mut wanted = wants("", 0, 0);
    wanted.key.topic = TopicRef::Id(Uuid([3; 16]));
    let full = SessionRequest {
        naming: TopicNaming::Ids,
        ..request(NO_SESSION, INITIAL_EPOCH, &[wanted.clone()])
    };
    let context = sessions.begin(Millis(0), full).expect("a full fetch");
    let id = sessions
        .finish(Millis(0), &context, &[NOTHING], 5)
        .session_id;
    let next = SessionRequest {
        naming: TopicNaming::Ids,
        ..request(id, 1, &[])
    };
    let context = sessions.begin(Millis(0), next).expect("the session");
    assert_eq!(context.partitions, [wanted]);
}

#[test]
fn a_full_fetch_ends_the_session_that_it_names() {
    let mut sessions = cache(10);
    let id = opened(&mut sessions);
    let context = sessions
        .begin(Millis(0), request(id, FINAL_EPOCH, &[wants("t", 0, 0)]))
        .expect("a full fetch");
    let finished = sessions.finish(Millis(0), &context, &[RECORDS], 9);
    assert_eq!(finished.session_id, NO_SESSION);
    assert_eq!(finished.include, [true]);
    assert!(sessions.is_empty());
}

#[test]
fn an_id_that_is_taken_or_zero_is_not_given() {
    let mut sessions = cache(10);
    let mut open = |candidate| {
        let context = sessions
            .begin(Millis(0), request(NO_SESSION, INITIAL_EPOCH, &[]))
            .expect("a full fetch");
        sessions
            .finish(Millis(0), &context, &[], candidate)
            .session_id
    };
    assert_eq!(open(0), 1);
    assert_eq!(open(1), 2);
    assert_eq!(open(i32::MAX), i32::MAX);
    assert_eq!(open(i32::MAX), 3);
    assert_eq!(open(-1), 4);
}

/// Tries to open a session over `size` partitions.
fn open_sized(sessions: &mut FetchSessions, now: i64, size: i32, is_follower: bool) -> i32 {
    let partitions: Vec<FetchPartition> = (0..size).map(|n| wants("t", n, 0)).collect();
    let full = SessionRequest {
        is_follower,
        ..request(NO_SESSION, INITIAL_EPOCH, &partitions)
    };
    let context = sessions.begin(Millis(now), full).expect("a full fetch");
    let results = vec![NOTHING; partitions.len()];
    let candidate = 100 + i32::try_from(now % 1_000).expect("small");
    sessions
        .finish(Millis(now), &context, &results, candidate)
        .session_id
}

#[test]
fn a_full_cache_gives_no_session_until_one_is_stale() {
    let mut sessions = cache(2);
    assert_ne!(open_sized(&mut sessions, 0, 1, false), NO_SESSION);
    assert_ne!(open_sized(&mut sessions, 1, 1, false), NO_SESSION);
    assert_eq!(open_sized(&mut sessions, 2, 9, false), NO_SESSION);
    let later = EVICTION_MS + 1;
    assert_ne!(open_sized(&mut sessions, later, 1, false), NO_SESSION);
    assert_eq!(sessions.len(), 2);
}

#[test]
fn a_larger_session_takes_the_place_of_a_smaller_one_that_has_had_its_time() {
    let mut sessions = cache(1);
    let id = open_sized(&mut sessions, 0, 5, false);
    // In use all along, but older than the time for which it is safe.
    let in_use = sessions.begin(Millis(EVICTION_MS + 1), request(id, 1, &[]));
    assert!(in_use.is_ok());
    let now = EVICTION_MS + 2;
    assert_eq!(open_sized(&mut sessions, now, 4, false), NO_SESSION);
    assert_ne!(open_sized(&mut sessions, now, 6, false), NO_SESSION);
}

#[test]
fn a_follower_takes_a_consumers_place_at_once_and_never_the_other_way_round() {
    let mut sessions = cache(1);
    assert_ne!(open_sized(&mut sessions, 0, 9, false), NO_SESSION);
    assert_ne!(open_sized(&mut sessions, 1, 1, true), NO_SESSION);
    assert_eq!(open_sized(&mut sessions, 2, 9, false), NO_SESSION);
}

#[test]
fn a_session_evicted_while_its_fetch_waits_costs_no_records() {
    let mut sessions = cache(1);
    let id = opened(&mut sessions);
    let waiting = sessions
        .begin(Millis(0), request(id, 1, &[]))
        .expect("the session");
    assert_ne!(open_sized(&mut sessions, 1, 1, true), NO_SESSION);
    let finished = sessions.finish(Millis(1), &waiting, &[RECORDS, NOTHING, NOTHING], 0);
    assert_eq!(finished.error, ErrorCode::None);
    assert!(finished.include[0]);
    let next = sessions.begin(Millis(1), request(id, 2, &[]));
    assert_eq!(next.expect_err("gone"), ErrorCode::FetchSessionIdNotFound);
}
