//! Finds the members of a topic who have least and most, while partitions go to the former and come from the latter.
//!
//! Keeps two ranges over the members, sorted by load when it began: those at the least level, from the front, and those
//! at the most, from the back. A range that has been gone through once rises (or falls) by one and takes in the members
//! that it meets at the new level.
//! Always: the ranges know what was handed out only from having said so themselves; the caller keeps the loads.

/// The members of one topic, told by their place in the group.
pub(super) struct Balancer {
    members: Vec<usize>,
    least_end: usize,
    least_level: i64,
    least_next: usize,
    most_start: usize,
    /// Members behind it have nothing to give.
    most_end: usize,
    most_level: i64,
    /// One behind the next member to take from.
    most_next: usize,
}

impl Balancer {
    /// At least one member.
    pub(super) fn new(subscribers: &[usize], loads: &[usize]) -> Self {
        let mut members = subscribers.to_vec();
        members.sort_by_key(|member| (loads[*member], *member));
        let count = members.len();
        Self {
            least_end: 0,
            least_level: level(loads, members[0]) - 1,
            least_next: 0,
            most_start: count,
            most_end: count,
            most_level: level(loads, members[count - 1]) + 1,
            most_next: count,
            members,
        }
    }

    /// Who gets the next partition.
    pub(super) fn next_least_loaded(&mut self, loads: &[usize]) -> usize {
        if self.least_next >= self.least_end {
            self.least_level += 1;
            while self.least_end < self.members.len()
                && level(loads, self.members[self.least_end]) == self.least_level
            {
                self.least_end += 1;
            }
            self.least_next = 0;
        }
        let member = self.members[self.least_next];
        self.least_next += 1;
        member
    }

    /// Who gives the next partition; none when nobody is left who has one.
    pub(super) fn next_most_loaded(&mut self, loads: &[usize]) -> Option<usize> {
        if self.most_next <= self.most_start {
            if self.most_end <= self.most_start && self.most_start > 0 {
                // All of the range were excluded: go on with the level of the next.
                self.most_level = level(loads, self.members[self.most_start - 1]);
            } else {
                self.most_level -= 1;
            }
            while self.most_start > 0
                && level(loads, self.members[self.most_start - 1]) == self.most_level
            {
                self.most_start -= 1;
            }
            self.most_next = self.most_end;
        }
        self.most_next = self.most_next.checked_sub(1)?;
        Some(self.members[self.most_next])
    }

    /// The member that was named last has nothing to give: out of the range, to behind its end.
    pub(super) fn exclude_most_loaded(&mut self) {
        self.most_end -= 1;
        self.members.swap(self.most_next, self.most_end);
    }

    /// Whether the levels are as near as they can be.
    pub(super) fn is_balanced(&self) -> bool {
        self.most_level - self.least_level <= 1
    }
}

fn level(loads: &[usize], member: usize) -> i64 {
    i64::try_from(loads[member]).unwrap_or(i64::MAX)
}
