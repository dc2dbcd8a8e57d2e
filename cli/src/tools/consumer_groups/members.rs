//! The table of members. Pure.

use std::collections::BTreeMap;

use ottla_client::admin::{GroupDescription, MemberDescription, MemberEpochs, TopicPartitions};

use super::render::{MISSING, WIDTH, or_missing, partitions_of};
use crate::table::{line, width};

pub(super) fn table(group: &GroupDescription, verbose: bool) -> String {
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
        table(&group(list), verbose)
    }
}
