//! Many small groups in one coordinator, with ten offsets each.

use std::time::Duration;

use ottla_coordination::group::{Command, Response, Settings, UnknownGroup};
use ottla_protocol::messages::OffsetCommitRequest;
use ottla_protocol::messages::offset_commit::request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_fetch::request::OffsetFetchRequestGroup;

use crate::bench::{Bench, ms, per_second, timed, topic_id, topic_name};
use crate::{classic, consumer};

/// Groups, and members of each.
const SIZES: [(usize, usize); 3] = [(500, 3), (5_000, 3), (5_000, 1)];
const PARTITIONS: usize = 10;

pub(crate) fn classic() {
    for (count, members) in SIZES {
        let mut bench = Bench::new(settings());
        bench.set_topics(1, PARTITIONS);
        let form = |number| {
            let mut group = classic::Group::new(&group_name(number), PARTITIONS);
            group.form(&mut bench, members);
            group
        };
        let (took, groups) = timed(|| (0..count).map(form).collect::<Vec<_>>());
        let (beats, ()) = timed(|| groups.iter().for_each(|group| group.beat_all(&mut bench)));
        let first = |group: &classic::Group| (group.members[0].clone(), group.generation);
        let committers = groups.iter().map(first).collect();
        report(&mut bench, members, took, beats, committers);
    }
}

pub(crate) fn consumer() {
    for (count, members) in SIZES {
        let mut bench = Bench::new(settings());
        bench.set_topics(1, PARTITIONS);
        let form = |number| {
            let mut group = consumer::Group::new(&group_name(number), 1);
            group.form(&mut bench, members);
            group
        };
        let (took, mut groups) = timed(|| (0..count).map(form).collect::<Vec<_>>());
        groups
            .iter_mut()
            .for_each(|group| group.beat_all(&mut bench));
        let (beats, ()) = timed(|| {
            groups
                .iter_mut()
                .for_each(|group| group.beat_all(&mut bench))
        });
        let first = |group: &consumer::Group| {
            let (id, epoch) = group.members().next().expect("a member");
            (id.to_owned(), epoch)
        };
        let committers = groups.iter().map(first).collect();
        report(&mut bench, members, took, beats, committers);
    }
}

fn settings() -> Settings {
    let mut settings = Settings {
        initial_rebalance_delay_ms: 3_000,
        session_timeout_max_ms: i32::MAX,
        ..Settings::default()
    };
    // The bench lets time pass for the groups that form; nobody's session is to end meanwhile.
    settings.consumer.session_timeout_ms = i32::MAX;
    settings
}

fn group_name(number: usize) -> String {
    format!("group-{number:05}")
}

fn report(
    bench: &mut Bench,
    members: usize,
    formed: Duration,
    beats: Duration,
    committers: Vec<(String, i32)>,
) {
    let count = committers.len();
    println!(
        "  {count} groups of {members}: {} to form, heartbeats {}",
        ms(formed),
        per_second(count * members, beats)
    );
    let (_, without_offsets) = bench.reload();
    let (commits, ()) = timed(|| commit_all(bench, &committers));
    let (fetches, ()) = timed(|| fetch_all(bench, count));
    println!(
        "    commits of {PARTITIONS} offsets {}, fetches of all {}",
        per_second(count, commits),
        per_second(count, fetches)
    );
    let (idle, _) = timed(|| bench.pass(1));
    let (list, _) = timed(|| {
        bench.ask_now(Command::ListGroups {
            states_filter: Vec::new(),
            types_filter: Vec::new(),
        })
    });
    let (topics, ()) = timed(|| bench.set_topics(1, PARTITIONS));
    let (sweep, _) = timed(|| bench.pass(600_000));
    println!(
        "    a tick with nothing due {}, the tick that looks for expired offsets {}, ListGroups {}, news of a topic {}",
        ms(idle),
        ms(sweep),
        ms(list),
        ms(topics)
    );
    let (loading, with_offsets) = bench.reload();
    println!(
        "    loading {} records, {} KiB: {}; held then: {} bytes a group, {} bytes an offset",
        bench.log_records(),
        bench.log_bytes() >> 10,
        ms(loading),
        without_offsets / count,
        with_offsets.saturating_sub(without_offsets) / (count * PARTITIONS)
    );
}

fn commit_all(bench: &mut Bench, committers: &[(String, i32)]) {
    for (number, (member_id, epoch)) in committers.iter().enumerate() {
        let partition = |index| OffsetCommitRequestPartition {
            partition_index: i32::try_from(index).expect("few"),
            committed_offset: 1_000,
            committed_leader_epoch: 0,
            committed_metadata: Some("".into()),
            ..Default::default()
        };
        let request = OffsetCommitRequest {
            group_id: group_name(number).as_str().into(),
            generation_id_or_member_epoch: *epoch,
            member_id: member_id.as_str().into(),
            topics: vec![OffsetCommitRequestTopic {
                name: topic_name(0).into(),
                topic_id: topic_id(0),
                partitions: (0..PARTITIONS).map(partition).collect(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let command = Command::OffsetCommit {
            request,
            unknown_group: UnknownGroup::NotFound,
        };
        match bench.ask_now(command) {
            Response::OffsetCommit(response) => {
                assert_eq!(response.topics[0].partitions[0].error_code, 0);
            }
            other => panic!("{other:?}"),
        }
    }
}

fn fetch_all(bench: &mut Bench, count: usize) {
    for number in 0..count {
        let group = OffsetFetchRequestGroup {
            group_id: group_name(number).as_str().into(),
            topics: None,
            ..Default::default()
        };
        match bench.ask_now(Command::OffsetFetch {
            group,
            require_stable: true,
        }) {
            Response::OffsetFetch(response) => assert_eq!(response.topics.len(), 1),
            other => panic!("{other:?}"),
        }
    }
}
