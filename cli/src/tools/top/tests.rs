//! Stories of a small cluster: snapshots are planted, views and tables are read.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use ottla_client::admin::{GroupDescription, MemberDescription, TopicPartition, TopicPartitions};
use ottla_client::cluster::Broker;
use ottla_client::conn::Endpoint;
use ottla_protocol::types::BrokerId;

use super::snapshot::{BrokerSeen, DiskSeen, GroupSeen, PartitionSeen, Snapshot, TopicSeen};
use super::table::{self, Health, Sort, Subject};
use super::view::{View, Views};
use super::{json, lines};

fn broker(id: i32) -> Broker {
    Broker {
        id: BrokerId(id),
        endpoint: Endpoint::new("host", 9092),
        rack: None,
    }
}

/// What two brokers and their topics look like after so many seconds.
fn snapshot(seconds: u64) -> Snapshot {
    let brokers = [1, 2].map(|id| BrokerSeen {
        broker: broker(id),
        problem: None,
        disk: Some(DiskSeen {
            used_bytes: 5000,
            usable_bytes: Some(1 << 30),
            total_bytes: None,
        }),
    });
    let at = i64::try_from(seconds).expect("not that long");
    Snapshot {
        at: Duration::from_secs(seconds),
        time: Timestamp::from_second(1_800_000_000 + at).expect("a time"),
        cluster_id: Some("cluster".to_owned()),
        brokers: brokers.into(),
        topics: vec![
            topic("orders", &[(at * 100, at * 2048), (at * 50, at * 1024)]),
            topic("quiet", &[(7, 70)]),
        ],
        groups: Vec::new(),
    }
}

/// A topic whose partitions have these ends and sizes, the first led by broker 1, the next by 2.
fn topic(name: &str, partitions: &[(i64, i64)]) -> TopicSeen {
    let partition = |(index, (end, size)): (i32, &(i64, i64))| PartitionSeen {
        index,
        leader: Some(1 + index % 2),
        replicas: vec![1, 2],
        isr: vec![1, 2],
        end: Some(*end),
        size_bytes: Some(*size),
    };
    TopicSeen {
        name: name.into(),
        is_internal: false,
        partitions: (0..).zip(partitions).map(partition).collect(),
    }
}

/// A group of one member that has both partitions of `orders`, and has committed so much of each.
fn group(id: &str, committed: [i64; 2]) -> GroupSeen {
    let member = MemberDescription {
        id: "m-1".to_owned(),
        instance_id: None,
        client_id: "c".to_owned(),
        host: "/10.0.0.7".to_owned(),
        assignment: vec![TopicPartitions {
            topic: "orders".to_owned(),
            partitions: vec![0, 1],
        }],
        epochs: None,
    };
    let places = (0..).map(|index| TopicPartition::new("orders", index));
    GroupSeen {
        id: id.to_owned(),
        kind: "Unknown".to_owned(),
        state: "Unknown".to_owned(),
        coordinator: 2,
        description: Some(GroupDescription {
            id: id.to_owned(),
            state: "Stable".to_owned(),
            kind: "Consumer",
            protocol_type: "consumer".to_owned(),
            assignor: "uniform".to_owned(),
            coordinator: broker(2),
            members: vec![member],
            epochs: None,
        }),
        committed: places.zip(committed).collect(),
    }
}

fn cells(view: &View, subject: Subject) -> Vec<String> {
    let rows = table::rows(view, &subject, Sort::default(), "");
    rows.iter()
        .map(|row| {
            row.cells
                .iter()
                .map(|cell| cell.shown())
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

#[test]
fn the_first_look_knows_how_much_there_is_and_the_second_how_fast_it_grows() {
    let mut views = Views::new();
    let first = views.next(snapshot(10));
    assert_eq!(
        cells(&first, Subject::Topics),
        ["orders 2 - - 30KiB 0 0", "quiet 1 - - 70B 0 0"]
    );
    let second = views.next(snapshot(12));
    assert_eq!(
        cells(&second, Subject::Topics),
        ["orders 2 150 3.0KiB 36KiB 0 0", "quiet 1 0.0 0B 70B 0 0"]
    );
    assert_eq!(
        cells(&second, Subject::Partitions("orders".to_owned())),
        [
            "0 1 100 2.0KiB 24KiB 1200 1,2 1,2",
            "1 2 50 1.0KiB 12KiB 600 1,2 1,2"
        ]
    );
    assert_eq!(
        cells(&second, Subject::Brokers),
        [
            "1 host:9092 100 2.0KiB 2 3 0 4.9KiB 1.0GiB -",
            "2 host:9092 50 1.0KiB 1 3 0 4.9KiB 1.0GiB -"
        ]
    );
}

#[test]
fn a_segment_that_retention_deletes_hides_bytes_but_no_records() {
    let mut views = Views::new();
    views.next(snapshot(10));
    let mut smaller = snapshot(12);
    smaller.topics[0] = topic("orders", &[(1200, 0), (600, 12 * 1024)]);
    let view = views.next(smaller);
    // Of the bytes the other partition's are known.
    assert_eq!(
        cells(&view, Subject::Topics)[0],
        "orders 2 150 1.0KiB 12KiB 0 0"
    );
}

#[test]
fn a_group_is_as_late_as_its_slowest_partition() {
    let with = |seconds, committed| Snapshot {
        groups: vec![group("readers", committed)],
        ..snapshot(seconds)
    };
    let mut views = Views::new();
    views.next(with(10, [0, 0]));
    // Written: 100 and 50 a second; read: 200 and 60. What is left is 1,600 and 980.
    let view = views.next(with(20, [2000, 600]));
    let expected = "readers Stable 1 400 260 150 40s Consumer 2";
    assert_eq!(cells(&view, Subject::Groups), [expected]);
    let members = cells(&view, Subject::Members("readers".to_owned()));
    assert_eq!(members, ["m-1 2 400 260 150 40s c /10.0.0.7"]);
    // Both partitions stand still, so nobody says when.
    let view = views.next(with(30, [2000, 600]));
    assert_eq!(view.groups[0].progress.lag, Some(1900));
}

#[test]
fn a_group_without_a_description_has_what_was_committed_and_no_members() {
    let mut bare = group("bare", [10, 10]);
    bare.description = None;
    bare.committed.insert(TopicPartition::new("gone", 0), 5);
    let view = Views::new().next(Snapshot {
        groups: vec![bare],
        ..snapshot(1)
    });
    // Of a topic that is gone there is no lag.
    let expected = "bare Unknown - 130 - - - Unknown 2";
    assert_eq!(cells(&view, Subject::Groups), [expected]);
    assert!(cells(&view, Subject::Members("bare".to_owned())).is_empty());
}

#[test]
fn a_broker_that_goes_away_is_shown_and_found_again() {
    let mut views = Views::new();
    views.next(snapshot(10));
    let mut without = snapshot(12);
    without.brokers.pop();
    for partition in without
        .topics
        .iter_mut()
        .flat_map(|topic| &mut topic.partitions)
    {
        partition.isr = vec![1];
        if partition.leader == Some(2) {
            *partition = PartitionSeen {
                leader: None,
                end: None,
                size_bytes: None,
                ..partition.clone()
            };
        }
    }
    let view = views.next(without);
    assert_eq!(
        cells(&view, Subject::Brokers)[1],
        "2 host:9092 - - 0 3 0 - - it is not in the cluster any more"
    );
    let rows = table::rows(&view, &Subject::Topics, Sort::default(), "");
    let health: Vec<Health> = rows.iter().map(|row| row.health).collect();
    assert_eq!(health, [Health::Bad, Health::Odd]);
    assert_eq!(
        cells(&view, Subject::Topics)[0],
        "orders 2 100 2.0KiB 24KiB 2 1"
    );

    views.next(snapshot(14));
    let view = views.next(snapshot(16));
    assert_eq!(
        cells(&view, Subject::Brokers)[1],
        "2 host:9092 50 1.0KiB 1 3 0 4.9KiB 1.0GiB -"
    );
}

#[test]
fn rows_are_sorted_by_any_column_and_filtered_by_name() {
    let mut views = Views::new();
    views.next(snapshot(10));
    let view = views.next(snapshot(12));
    let names = |column, is_reversed, filter| {
        let sort = Sort {
            column,
            is_reversed,
        };
        let rows = table::rows(&view, &Subject::Topics, sort, filter);
        rows.into_iter().map(|row| row.name).collect::<Vec<_>>()
    };
    assert_eq!(names(0, false, ""), ["orders", "quiet"]);
    assert_eq!(names(0, true, ""), ["quiet", "orders"]);
    // The largest first.
    assert_eq!(names(2, false, ""), ["orders", "quiet"]);
    assert_eq!(names(2, true, ""), ["quiet", "orders"]);
    assert_eq!(names(0, false, "UIE"), ["quiet"]);
    assert!(names(0, false, "nothing").is_empty());
}

#[test]
fn partitions_are_in_the_order_of_their_numbers() {
    let mut many = snapshot(1);
    many.topics = vec![topic("many", &[(0, 0); 12])];
    let view = Views::new().next(many);
    let rows = table::rows(
        &view,
        &Subject::Partitions("many".to_owned()),
        Sort::default(),
        "",
    );
    let numbers: Vec<i32> = rows
        .iter()
        .filter_map(|row| row.name.parse().ok())
        .collect();
    assert_eq!(numbers, (0..12).collect::<Vec<_>>());
}

#[test]
fn lines_have_a_head_once_and_json_tells_the_same_in_full() {
    let mut views = Views::new();
    views.next(snapshot(10));
    let view = views.next(Snapshot {
        groups: vec![group("readers", [1000, 600])],
        ..snapshot(12)
    });
    let rows = table::rows(&view, &Subject::Topics, Sort::default(), "");
    let text = lines::of("now", &Subject::Topics, &rows, true);
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        [
            "TIME     TOPIC                          PARTITIONS RECORDS/S BYTES/S  SIZE     UNDER-REPLICATED OFFLINE",
            "now      orders                         2          150       3.0KiB   36KiB    0                0",
            "now      quiet                          1          0.0       0B       70B      0                0",
        ]
    );
    assert_eq!(
        lines::of("now", &Subject::Topics, &rows[..1], false)
            .lines()
            .count(),
        1
    );

    let told = json::of(&view, "r");
    assert_eq!(
        (&told["version"], &told["clusterId"]),
        (&1.into(), &"cluster".into())
    );
    assert_eq!(told["timeMs"], 1_800_000_012_000_u64);
    assert_eq!(
        told["topics"].as_array().map(Vec::len),
        Some(1),
        "quiet has no r"
    );
    let orders = &told["topics"][0];
    assert_eq!(
        (&orders["recordsPerSecond"], &orders["bytesPerSecond"]),
        (&150.0.into(), &3072.0.into())
    );
    assert_eq!(orders["partitions"][1]["logEndOffset"], 600);
    let readers = &told["groups"][0];
    assert_eq!(
        (&readers["lag"], &readers["readPerSecond"]),
        (&200.into(), &serde_json::Value::Null)
    );
    assert_eq!(readers["members"][0]["partitions"], 2);
    assert_eq!(told["brokers"][1]["usableBytes"], 1 << 30);
}

#[test]
fn names_that_would_steer_a_terminal_are_shown_as_what_they_are() {
    let mut view = Views::new().next(snapshot(1));
    view.groups.clear();
    let odd = group("\x1b[2J", [0, 0]);
    let view = Views::new().next(Snapshot {
        groups: vec![odd],
        ..snapshot(1)
    });
    assert!(cells(&view, Subject::Groups)[0].starts_with("\\u{1b}[2J Stable"));
}

/// So that nobody has to wonder how large a page becomes.
#[test]
fn ten_thousand_partitions_and_their_groups_are_a_view() {
    let ends: HashMap<TopicPartition, i64> = (0..1000)
        .flat_map(|topic| (0..10).map(move |at| (TopicPartition::new(format!("t{topic}"), at), 5)))
        .collect();
    let large = || Snapshot {
        topics: (0..1000)
            .map(|n| topic(&format!("t{n}"), &[(9, 9); 10]))
            .collect(),
        groups: vec![GroupSeen {
            committed: ends.clone(),
            ..group("all", [0, 0])
        }],
        ..snapshot(1)
    };
    let mut views = Views::new();
    views.next(large());
    let view = views.next(Snapshot {
        at: Duration::from_secs(3),
        ..large()
    });
    assert_eq!(view.groups[0].progress.lag, Some(40_000));
    assert_eq!(
        table::rows(&view, &Subject::Topics, Sort::default(), "").len(),
        1000
    );
}
