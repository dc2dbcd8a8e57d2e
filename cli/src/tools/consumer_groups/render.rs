//! Tables in the reference's layout. Pure.
//!
//! Columns are padded and joined by a space; some tables pad the last column, too, and some begin each line with the
//! end of the one before, which leaves an empty line at the top.

use std::collections::BTreeMap;
use std::fmt::Write;

use ottla_client::admin::{
    CommittedOffset, GroupDescription, GroupListing, MemberDescription, MemberEpochs,
    TopicPartition, TopicPartitions,
};
use ottla_protocol::errors::ErrorCode;

use super::ended;
use super::plan::{self, Listing};
use super::reset::NewOffsets;

/// A partition that a group reads or has read.
#[derive(Debug, Clone)]
pub(super) struct OffsetRow {
    pub(super) at: TopicPartition,
    pub(super) committed: Option<CommittedOffset>,
    pub(super) end: Option<i64>,
    pub(super) owner: Owner,
}

/// The member that reads a partition, as columns.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    id: String,
    host: String,
    client_id: String,
}

impl Owner {
    pub(super) fn of(member: &MemberDescription) -> Self {
        Self {
            id: member.id.clone(),
            host: member.host.clone(),
            client_id: member.client_id.clone(),
        }
    }

    pub(super) fn nobody() -> Self {
        let missing = || MISSING.to_owned();
        Self {
            id: missing(),
            host: missing(),
            client_id: missing(),
        }
    }
}

const MISSING: &str = "-";

/// What the columns of most tables are at least as wide as.
const WIDTH: usize = 15;

fn or_missing(value: Option<impl ToString>) -> String {
    value.map_or_else(|| MISSING.to_owned(), |value| value.to_string())
}

/// The width of a column that grows with its values.
fn width<'a>(least: usize, values: impl IntoIterator<Item = &'a str>) -> usize {
    let widths = values.into_iter().map(|value| value.chars().count());
    widths.max().unwrap_or(0).max(least)
}

/// A line of columns and their widths; nothing stands behind the last column, not even its padding where it has no
/// width.
fn line<'a>(text: &mut String, columns: impl IntoIterator<Item = (&'a str, usize)>) {
    for (index, (value, width)) in columns.into_iter().enumerate() {
        let gap = if index == 0 { "" } else { " " };
        write!(text, "{gap}{value:width$}").expect("a string takes it");
    }
    text.push('\n');
}

pub(super) fn list(groups: &[GroupListing], listing: &Listing) -> String {
    let group_width = width(WIDTH, groups.iter().map(|group| &*group.id)) + 10;
    let mut text = String::new();
    let mut row = |group: &str, kind: &str, state: &str| {
        let mut columns = vec![(group, group_width)];
        columns.extend(listing.with_type.then_some((kind, 20)));
        columns.extend(listing.with_state.then_some((state, 20)));
        line(&mut text, columns);
    };
    row("GROUP", "TYPE", "STATE");
    for group in groups {
        let shown = |name: &Option<String>, known: &[&'static str]| {
            let name = name.as_deref().and_then(|name| plan::known_as(name, known));
            name.unwrap_or("Unknown")
        };
        let kind = shown(&group.kind, &plan::TYPES);
        row(&group.id, kind, shown(&group.state, &plan::STATES));
    }
    text
}

pub(super) fn offsets(group: &str, rows: &[OffsetRow], verbose: bool) -> String {
    let group_width = width(WIDTH, [group]);
    let topic_width = width(WIDTH, rows.iter().map(|row| &*row.at.topic));
    let id_width = width(WIDTH, rows.iter().map(|row| &*row.owner.id));
    let host_width = width(WIDTH, rows.iter().map(|row| &*row.owner.host));
    let mut text = "\n".to_owned();
    let mut row = |[
        group,
        topic,
        partition,
        epoch,
        offset,
        end,
        lag,
        id,
        host,
        client_id,
    ]: [&str; 10]| {
        let mut columns = vec![(group, group_width), (topic, topic_width), (partition, 10)];
        columns.extend(verbose.then_some((epoch, WIDTH)));
        columns.extend([(offset, WIDTH), (end, WIDTH), (lag, WIDTH)]);
        columns.extend([(id, id_width), (host, host_width), (client_id, 0)]);
        line(&mut text, columns);
    };
    row([
        "GROUP",
        "TOPIC",
        "PARTITION",
        "LEADER-EPOCH",
        "CURRENT-OFFSET",
        "LOG-END-OFFSET",
        "LAG",
        "CONSUMER-ID",
        "HOST",
        "CLIENT-ID",
    ]);
    for OffsetRow {
        at,
        committed,
        end,
        owner,
    } in rows
    {
        let offset = committed.as_ref().map(|committed| committed.offset);
        let lag = offset
            .zip(*end)
            .map(|(offset, end)| end.saturating_sub(offset));
        row([
            group,
            &at.topic,
            &at.partition.to_string(),
            &or_missing(
                committed
                    .as_ref()
                    .and_then(|committed| committed.leader_epoch),
            ),
            &or_missing(offset),
            &or_missing(*end),
            &or_missing(lag),
            &owner.id,
            &owner.host,
            &owner.client_id,
        ]);
    }
    text
}

/// Partitions in the order of topic and number, each once.
pub(super) fn partitions_of(assignment: &[TopicPartitions]) -> Vec<TopicPartition> {
    let mut partitions = Vec::new();
    for TopicPartitions {
        topic,
        partitions: indexes,
    } in assignment
    {
        partitions.extend(
            indexes
                .iter()
                .map(|index| TopicPartition::new(&**topic, *index)),
        );
    }
    partitions.sort();
    partitions.dedup();
    partitions
}

/// `topic:0,1;other:2`.
fn assignment(assigned: &[TopicPartitions]) -> String {
    let mut by_topic: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for at in partitions_of(assigned) {
        by_topic
            .entry(at.topic)
            .or_default()
            .push(at.partition.to_string());
    }
    let topics = by_topic.into_iter();
    let topics: Vec<String> = topics
        .map(|(topic, indexes)| format!("{topic}:{}", indexes.join(",")))
        .collect();
    match topics.is_empty() {
        true => MISSING.to_owned(),
        false => topics.join(";"),
    }
}

pub(super) fn members(group: &GroupDescription, verbose: bool) -> String {
    let rows: Vec<MemberRow> = group
        .members
        .iter()
        .map(|member| MemberRow::of(member, group))
        .collect();
    let of = |column: fn(&MemberRow) -> &str, least| width(least, rows.iter().map(column));
    let widths = MemberWidths {
        group: width(WIDTH, [&*group.id]),
        id: of(|row| &row.id, WIDTH),
        instance_id: of(|row| &row.instance_id, 17),
        host: of(|row| &row.host, WIDTH),
        client_id: of(|row| &row.client_id, WIDTH),
        current: of(|row| &row.current, 20),
        target: of(|row| &row.target, 20),
    };
    let shown = MemberColumns {
        instance_id: rows.iter().any(|row| !row.instance_id.is_empty()),
        verbose,
        // Only of interest while members of both protocols are there.
        upgraded: rows.iter().any(|row| row.upgraded == "true")
            && rows.iter().any(|row| row.upgraded == "false"),
    };
    let mut text = "\n".to_owned();
    let head = MemberRow::head();
    for (group, row) in
        std::iter::once(("GROUP", &head)).chain(rows.iter().map(|row| (&*group.id, row)))
    {
        row.write(&mut text, group, &widths, &shown);
    }
    text
}

/// A member as columns.
struct MemberRow {
    id: String,
    instance_id: String,
    host: String,
    client_id: String,
    partitions: String,
    epoch: String,
    current: String,
    target_epoch: String,
    target: String,
    upgraded: String,
}

struct MemberWidths {
    group: usize,
    id: usize,
    instance_id: usize,
    host: usize,
    client_id: usize,
    current: usize,
    target: usize,
}

struct MemberColumns {
    instance_id: bool,
    verbose: bool,
    upgraded: bool,
}

impl MemberRow {
    fn head() -> Self {
        Self {
            id: "CONSUMER-ID".to_owned(),
            instance_id: "GROUP-INSTANCE-ID".to_owned(),
            host: "HOST".to_owned(),
            client_id: "CLIENT-ID".to_owned(),
            partitions: "#PARTITIONS".to_owned(),
            epoch: "CURRENT-EPOCH".to_owned(),
            current: "CURRENT-ASSIGNMENT".to_owned(),
            target_epoch: "TARGET-EPOCH".to_owned(),
            target: "TARGET-ASSIGNMENT".to_owned(),
            upgraded: "UPGRADED".to_owned(),
        }
    }

    fn of(member: &MemberDescription, group: &GroupDescription) -> Self {
        let epochs: Option<&MemberEpochs> = member.epochs.as_ref();
        let target = epochs.map_or(&[][..], |epochs| &epochs.target_assignment);
        Self {
            id: member.id.clone(),
            instance_id: member.instance_id.clone().unwrap_or_default(),
            host: member.host.clone(),
            client_id: member.client_id.clone(),
            partitions: partitions_of(&member.assignment).len().to_string(),
            epoch: or_missing(epochs.map(|epochs| epochs.member)),
            current: assignment(&member.assignment),
            target_epoch: or_missing(group.epochs.map(|epochs| epochs.target_assignment)),
            target: assignment(target),
            upgraded: or_missing(epochs.and_then(|epochs| epochs.is_upgraded)),
        }
    }

    fn write(&self, text: &mut String, group: &str, widths: &MemberWidths, shown: &MemberColumns) {
        let mut columns = vec![(group, widths.group), (&*self.id, widths.id)];
        columns.extend(
            shown
                .instance_id
                .then_some((&*self.instance_id, widths.instance_id)),
        );
        columns.extend([
            (&*self.host, widths.host),
            (&self.client_id, widths.client_id),
        ]);
        columns.push((&self.partitions, WIDTH));
        if shown.verbose {
            columns.extend([(&*self.epoch, WIDTH), (&self.current, widths.current)]);
            columns.extend([(&*self.target_epoch, WIDTH), (&self.target, widths.target)]);
            columns.extend(shown.upgraded.then_some((&*self.upgraded, 0)));
        } else {
            // A space stands where more columns could begin.
            columns.push(("", 0));
        }
        line(text, columns);
    }
}

pub(super) fn state(group: &GroupDescription, verbose: bool) -> String {
    let endpoint = &group.coordinator.endpoint;
    let coordinator = format!(
        "{}:{}  ({})",
        endpoint.host, endpoint.port, group.coordinator.id.0
    );
    let group_width = width(WIDTH, [&*group.id]);
    let coordinator_width = width(25, [&*coordinator]);
    let mut text = "\n".to_owned();
    let mut row = |[
        group,
        coordinator,
        assignor,
        state,
        epoch,
        target_epoch,
        members,
    ]: [&str; 7]| {
        let mut columns = vec![(group, group_width), (coordinator, coordinator_width)];
        columns.extend([(assignor, 20), (state, 20)]);
        columns.extend(verbose.then_some((epoch, WIDTH)));
        columns.extend(verbose.then_some((target_epoch, 25)));
        columns.push((members, 0));
        line(&mut text, columns);
    };
    row([
        "GROUP",
        "COORDINATOR (ID)",
        "ASSIGNMENT-STRATEGY",
        "STATE",
        "GROUP-EPOCH",
        "TARGET-ASSIGNMENT-EPOCH",
        "#MEMBERS",
    ]);
    let assignor = Some(&*group.assignor).filter(|name| !name.is_empty());
    row([
        &group.id,
        &coordinator,
        assignor.unwrap_or(MISSING),
        &group.state,
        &or_missing(group.epochs.map(|epochs| epochs.group)),
        &or_missing(group.epochs.map(|epochs| epochs.target_assignment)),
        &group.members.len().to_string(),
    ]);
    text
}

pub(super) fn new_offsets(plans: &[(String, NewOffsets)]) -> String {
    let mut text = "\n".to_owned();
    if plans.is_empty() {
        return text;
    }
    let rows = || {
        plans
            .iter()
            .flat_map(|(group, offsets)| offsets.iter().map(move |row| (group, row)))
    };
    let group_width = width(WIDTH, plans.iter().map(|(group, _)| &**group));
    let topic_width = width(WIDTH, rows().map(|(_, (at, _))| &*at.topic));
    let mut row = |group: &str, topic: &str, partition: &str, offset: &str| {
        let names = [(group, group_width), (topic, topic_width)];
        line(
            &mut text,
            names.into_iter().chain([(partition, 10), (offset, 0)]),
        );
    };
    row("GROUP", "TOPIC", "PARTITION", "NEW-OFFSET");
    for (group, (at, offset)) in rows() {
        row(
            group,
            &at.topic,
            &at.partition.to_string(),
            &offset.to_string(),
        );
    }
    text
}

/// The rows of a file for `--from-file`, without the group where there is just one.
pub(super) fn export(plans: &[(String, NewOffsets)], without_group: bool) -> String {
    let mut text = String::new();
    for (group, offsets) in plans {
        for (at, offset) in offsets {
            if !without_group {
                write!(text, "{},", field(group)).expect("a string takes it");
            }
            let topic = field(&at.topic);
            writeln!(text, "{topic},{},{offset}", at.partition).expect("a string takes it");
        }
    }
    text.push('\n');
    text
}

/// Quoted where the reference's writer quotes: for what stands before `-` in ASCII, and where it does not look.
fn field(value: &str) -> String {
    const LOOKED_AT_MAX: usize = 24;
    let plain = value.encode_utf16().count() <= LOOKED_AT_MAX && value.chars().all(|c| c >= '-');
    match plain {
        true => value.to_owned(),
        false => format!("\"{}\"", value.replace('"', "\"\"")),
    }
}

/// The table of deleted offsets; a topic that is not known has no partition.
pub(super) fn deletions(
    rows: &[(String, Option<i32>, Result<(), ottla_client::ApiError>)],
) -> String {
    let topic_width = width(WIDTH, rows.iter().map(|(topic, _, _)| &**topic));
    let mut text = "\n".to_owned();
    let mut row = |topic: &str, partition: &str, status: &str| {
        line(
            &mut text,
            [(topic, topic_width), (partition, 10), (status, WIDTH)],
        );
    };
    row("TOPIC", "PARTITION", "STATUS");
    for (topic, partition, outcome) in rows {
        let status = match outcome {
            Ok(()) => "Successful".to_owned(),
            Err(error) => format!("Error: {}", ended::described(error)),
        };
        row(topic, &or_missing(*partition), &status);
    }
    text
}

/// What the reference says first when offsets are deleted.
pub(super) fn deletion_head(group: &str, error: Option<ErrorCode>) -> String {
    let reason = match error {
        None => return format!("Request succeeded for deleting offsets from group {group}.\n"),
        Some(
            code @ (ErrorCode::InvalidGroupId
            | ErrorCode::GroupIdNotFound
            | ErrorCode::GroupAuthorizationFailed
            | ErrorCode::NonEmptyGroup),
        ) => code.text().to_owned(),
        Some(
            ErrorCode::GroupSubscribedToTopic
            | ErrorCode::TopicAuthorizationFailed
            | ErrorCode::UnknownTopicOrPartition,
        ) => "Encountered some partition-level error, see the follow-up details.".to_owned(),
        Some(code) => format!("Encountered some unknown error: {}", code.name()),
    };
    format!("\nError: {reason}\n")
}

#[cfg(test)]
mod tests {
    use ottla_client::admin::GroupEpochs;
    use ottla_client::cluster::Broker;

    use super::*;

    fn member(id: &str, instance_id: Option<&str>, is_upgraded: Option<bool>) -> MemberDescription {
        let assignment = vec![
            TopicPartitions {
                topic: "b".to_owned(),
                partitions: vec![10, 9],
            },
            TopicPartitions {
                topic: "a".to_owned(),
                partitions: vec![0],
            },
        ];
        MemberDescription {
            id: id.to_owned(),
            instance_id: instance_id.map(str::to_owned),
            client_id: "client".to_owned(),
            host: "/127.0.0.1".to_owned(),
            epochs: is_upgraded.map(|is_upgraded| MemberEpochs {
                member: 7,
                target_assignment: assignment.clone(),
                is_upgraded: Some(is_upgraded),
            }),
            assignment,
        }
    }

    fn group(members: Vec<MemberDescription>) -> GroupDescription {
        let endpoint = ottla_client::conn::Endpoint::new("localhost", 9092);
        GroupDescription {
            id: "g".to_owned(),
            state: "Stable".to_owned(),
            kind: "Consumer",
            protocol_type: "consumer".to_owned(),
            assignor: "uniform".to_owned(),
            coordinator: Broker {
                id: ottla_protocol::types::BrokerId(1),
                endpoint,
                rack: None,
            },
            members,
            epochs: Some(GroupEpochs {
                group: 8,
                target_assignment: 8,
            }),
        }
    }

    #[test]
    fn instances_are_shown_where_a_member_is_one() {
        let members = vec![member("m1", Some("i1"), None), member("m2", None, None)];
        assert_eq!(
            members_text(members, false),
            "
GROUP           CONSUMER-ID     GROUP-INSTANCE-ID HOST            CLIENT-ID       #PARTITIONS     
g               m1              i1                /127.0.0.1      client          3               
g               m2                                /127.0.0.1      client          3               
"
        );
    }

    #[test]
    fn who_still_speaks_the_old_protocol_is_shown_while_others_do_not() {
        let both = vec![
            member("m1", None, Some(true)),
            member("m2", None, Some(false)),
        ];
        let text = members_text(both, true);
        let ends: Vec<&str> = text
            .lines()
            .filter_map(|line| line.split(' ').next_back())
            .collect();
        assert_eq!(ends, ["", "UPGRADED", "true", "false"]);
        assert!(text.contains(
            " 7               a:0;b:9,10           8               a:0;b:9,10           true"
        ));
        let text = members_text(vec![member("m1", None, Some(true))], true);
        assert!(!text.contains("UPGRADED"));
    }

    fn members_text(list: Vec<MemberDescription>, verbose: bool) -> String {
        members(&group(list), verbose)
    }

    #[test]
    fn an_exported_name_is_quoted_where_it_has_to_be_and_where_it_is_long() {
        let offsets = |topic: &str| vec![(TopicPartition::new(topic, 0), 5)];
        let long = "a-topic-with-a-rather-long-name";
        for (group, topic, without_group, text) in [
            ("g", "t", true, "t,0,5\n\n"),
            ("g", "t", false, "g,t,0,5\n\n"),
            ("a,\"b", "t", false, "\"a,\"\"b\",t,0,5\n\n"),
            (
                "g",
                long,
                true,
                "\"a-topic-with-a-rather-long-name\",0,5\n\n",
            ),
        ] {
            let plans = [(group.to_owned(), offsets(topic))];
            assert_eq!(export(&plans, without_group), text);
        }
        assert_eq!(export(&[], true), "\n");
    }
}
