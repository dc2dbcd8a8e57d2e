//! Sharing out where all members subscribe to the same topics: everybody gets as many partitions as everybody else,
//! some one more.
//!
//! First members keep what they had, up to their share. The rest is dealt in turn to who has less: near replicas
//! first, then anywhere.

use std::collections::VecDeque;

use super::{
    claims::Claims,
    hash_order::hash_order,
    layout::{Layout, M, P},
    racks::Racks,
};

/// By member, and the partitions that come to one while another may still read them.
pub(super) struct Outcome {
    pub(super) shares: Vec<Vec<P>>,
    pub(super) moved: Vec<P>,
}

pub(super) fn assign(layout: &Layout<'_>, racks: &Racks, claims: &Claims) -> Outcome {
    let mut dealing = Dealing::new(layout, racks, claims);
    dealing.keep_owned();
    dealing.below.sort_unstable();
    dealing.full.make_contiguous().sort_unstable();
    let mut free: Vec<P> = (0..layout.partition_count())
        .filter(|p| !dealing.is_given[*p])
        .collect();
    racks.sort_by_neighbours(&mut free);
    if racks.are_minded() {
        free = dealing.deal_near(free);
    }
    dealing.deal(free);
    Outcome {
        shares: dealing.shares,
        moved: dealing.moved,
    }
}

struct Dealing<'a> {
    layout: &'a Layout<'a>,
    racks: &'a Racks,
    claims: &'a Claims,
    shares: Vec<Vec<P>>,
    is_given: Vec<bool>,
    /// Who had a partition that it does not keep.
    left_by: Vec<Option<M>>,
    moved: Vec<P>,
    /// What everybody gets.
    least: usize,
    /// What some get, one more or as much.
    most: usize,
    /// How many get one more, and how many have it already.
    with_more_wanted: usize,
    with_more: usize,
    /// Members with less than everybody gets.
    below: Vec<M>,
    /// Members with just that, who may still get one more.
    full: VecDeque<M>,
}

impl<'a> Dealing<'a> {
    fn new(layout: &'a Layout<'a>, racks: &'a Racks, claims: &'a Claims) -> Self {
        let (members, partitions) = (layout.members.len().max(1), layout.partition_count());
        Self {
            layout,
            racks,
            claims,
            shares: vec![Vec::new(); layout.members.len()],
            is_given: vec![false; partitions],
            left_by: vec![None; partitions],
            moved: Vec::new(),
            least: partitions / members,
            most: partitions.div_ceil(members),
            with_more_wanted: partitions % members,
            with_more: 0,
            below: Vec::new(),
            full: VecDeque::new(),
        }
    }

    fn room_for_more(&self) -> bool {
        self.with_more < self.with_more_wanted
    }

    /// One more member has more than everybody. After the last one nobody gets more.
    fn count_with_more(&mut self) {
        self.with_more += 1;
        if self.with_more == self.with_more_wanted {
            self.full.clear();
        }
    }

    /// Members come in the reference's order, since the first ones keep more.
    fn keep_owned(&mut self) {
        let given = &self.layout.given;
        let ids = given.iter().map(|m| self.layout.members[*m].id.as_str());
        for place in hash_order(ids) {
            self.keep_owned_by(given[place]);
        }
    }

    fn keep_owned_by(&mut self, m: M) {
        let mut owned = Vec::new();
        for p in &self.claims.owned[m] {
            if self.racks.mismatch(m, *p) {
                self.left_by[*p] = Some(m);
            } else if !self.claims.contested[*p] {
                owned.push(*p);
            }
        }
        owned.sort_by_key(|p| (self.layout.index_of(*p), self.layout.topic_of(*p)));
        let kept = if owned.len() < self.least {
            self.below.push(m);
            owned.len()
        } else if owned.len() >= self.most && self.room_for_more() {
            self.count_with_more();
            self.most
        } else {
            if self.room_for_more() {
                self.full.push_back(m);
            }
            self.least
        };
        for p in owned.drain(kept..) {
            self.left_by[p] = Some(m);
        }
        for p in &owned {
            self.is_given[*p] = true;
        }
        self.shares[m] = owned;
    }

    /// Gives in turn what finds a member near it; returns the rest.
    fn deal_near(&mut self, free: Vec<P>) -> Vec<P> {
        let mut rest = Vec::new();
        let mut turn = 0;
        for p in free {
            let found = self.near_below(p, &mut turn).or_else(|| self.near_full(p));
            match found {
                Some(m) => self.give(p, m),
                None => rest.push(p),
            }
        }
        rest
    }

    fn near_below(&mut self, p: P, turn: &mut usize) -> Option<M> {
        let mut place = self.racks.next_near(p, &self.below, *turn)?;
        let m = self.below[place];
        let count = self.shares[m].len() + 1;
        if count >= self.least {
            self.below.remove(place);
            if count < self.most && self.room_for_more() {
                self.full.push_back(m);
            }
        } else {
            place += 1;
        }
        *turn = place.checked_rem(self.below.len()).unwrap_or(0);
        Some(m)
    }

    fn near_full(&mut self, p: P) -> Option<M> {
        let place = self.racks.next_near(p, self.full.make_contiguous(), 0)?;
        let m = self.full[place];
        if self.shares[m].len() + 1 == self.most {
            self.full.remove(place);
            self.count_with_more();
        }
        Some(m)
    }

    /// Gives everything that is left in turn.
    fn deal(&mut self, free: Vec<P>) {
        let mut turn = 0;
        for p in free {
            if turn >= self.below.len() {
                turn = 0;
            }
            let m = match self.below.get(turn) {
                Some(m) => *m,
                None => {
                    let next = self.full.pop_front();
                    next.expect("as many shares as partitions")
                }
            };
            self.give(p, m);
            if self.shares[m].len() == self.least {
                self.below.remove(turn);
                self.full.push_back(m);
            } else {
                turn += 1;
            }
        }
    }

    fn give(&mut self, p: P, m: M) {
        self.shares[m].push(p);
        if self.left_by[p].is_some_and(|before| before != m) || self.claims.contested[p] {
            self.moved.push(p);
        }
    }
}
