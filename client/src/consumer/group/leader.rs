//! The leader's part in a rebalance: which topics matter, who gets what of them, and whether that may be.
//!
//! Pure. Always: what is given out names every member, and where the group rebalances cooperatively nothing goes to a
//! member that another one still owns.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    admin::TopicPartition,
    consumer::assignors::{Assignment, Assignor, AssignorError, Member, PartitionAssignor, Topics},
};

/// All topics that somebody subscribes to.
pub(super) fn topics_of(members: &[Member]) -> BTreeSet<String> {
    let topics = members.iter().flat_map(|member| &member.topics);
    topics.cloned().collect()
}

/// The assignor's answer, complete and checked.
pub(super) fn assign(
    assignor: &dyn PartitionAssignor,
    is_cooperative: bool,
    topics: &Topics,
    members: &[Member],
) -> Result<Assignment, AssignorError> {
    let mut assignment = assignor.assign(topics, members)?;
    for member in members {
        assignment.entry(member.id.clone()).or_default();
    }
    // The built-in one goes by generations, too, so that what a member wrongly believes to own can be given away.
    if is_cooperative && Assignor::of_name(assignor.name()).is_none() {
        check_owners(assignor, members, &assignment)?;
    }
    Ok(assignment)
}

fn check_owners(
    assignor: &dyn PartitionAssignor,
    members: &[Member],
    assignment: &Assignment,
) -> Result<(), AssignorError> {
    let mut owners: BTreeMap<&TopicPartition, &str> = BTreeMap::new();
    for member in members {
        owners.extend(member.owned.iter().map(|at| (at, member.id.as_str())));
    }
    for (id, assigned) in assignment {
        for at in &assigned.partitions {
            if owners.get(at).is_some_and(|owner| owner != id) {
                let name = assignor.name();
                return Err(AssignorError(format!(
                    "the assignor {name} is cooperative, but gives partition {at} away that its owner has not let go"
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consumer::assignors::Assigned;

    /// Gives everything to one member.
    #[derive(Debug)]
    struct AllTo(&'static str);

    impl PartitionAssignor for AllTo {
        fn name(&self) -> &str {
            "all-to-one"
        }

        fn assign(&self, topics: &Topics, _: &[Member]) -> Result<Assignment, AssignorError> {
            let mut all = Assigned::default();
            for (topic, racks) in topics {
                let partitions = (0..).zip(racks);
                let partitions = partitions.map(|(index, _)| TopicPartition::new(topic, index));
                all.partitions.extend(partitions);
            }
            Ok(Assignment::from([(self.0.to_owned(), all)]))
        }
    }

    fn topics() -> Topics {
        Topics::from([("t".to_owned(), vec![BTreeSet::new(); 2])])
    }

    fn members() -> Vec<Member> {
        let member = |id: &str, owned: &[i32]| Member {
            id: id.to_owned(),
            topics: BTreeSet::from(["t".to_owned()]),
            owned: owned.iter().map(|p| TopicPartition::new("t", *p)).collect(),
            ..Member::default()
        };
        vec![member("a", &[0]), member("b", &[])]
    }

    #[test]
    fn who_gets_nothing_is_told_so() {
        let assignment = assign(&AllTo("a"), true, &topics(), &members()).unwrap();
        assert_eq!(assignment["a"].partitions.len(), 2);
        assert_eq!(assignment["b"], Assigned::default());
    }

    #[test]
    fn what_has_an_owner_is_not_given_to_another_in_a_cooperative_group() {
        let refused = assign(&AllTo("b"), true, &topics(), &members()).unwrap_err();
        assert!(refused.to_string().contains("t-0"), "{refused}");
        assign(&AllTo("b"), false, &topics(), &members()).unwrap();
    }
}
