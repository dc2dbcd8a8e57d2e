//! Sharing out where members subscribe to different topics: as even as the subscriptions allow, with few moves.
//!
//! Members keep what they had and still may have; what is free goes to who has least; then partitions move from who
//! has more to who has less, as long as that makes it more even. If it does not after all, nothing moves.

use std::collections::BTreeSet;

use super::{
    claims::Claims,
    layout::{Layout, M, P, T},
    movements::Movements,
    racks::Racks,
};

pub(super) fn assign(layout: &Layout<'_>, racks: &Racks, claims: &Claims) -> Vec<Vec<P>> {
    let mut balance = Balance::new(layout, racks, claims);
    let must_revoke = balance.drop_what_does_not_fit();
    let free: Vec<P> = in_order_of_demand(layout)
        .filter(|p| balance.owner[*p].is_none())
        .collect();
    let was_empty = balance.shares.iter().all(Vec::is_empty);
    balance.give_out(&free);
    balance.fix();
    let before = (balance.shares.clone(), balance.owner.clone());
    if !must_revoke {
        let movable = |p: &P| balance.is_movable(*p);
        let free: Vec<P> = free.iter().copied().filter(movable).collect();
        balance.even_out(&free);
    }
    let movable = |p: &P| balance.is_movable(*p);
    let all: Vec<P> = in_order_of_demand(layout).filter(movable).collect();
    let has_moved = balance.even_out(&all);
    if !was_empty && has_moved && balance.unevenness() >= unevenness(&before.0, &balance.is_fixed) {
        return before.0;
    }
    balance.shares
}

/// Topics with few subscribers first.
fn in_order_of_demand(layout: &Layout<'_>) -> impl Iterator<Item = P> {
    let mut topics: Vec<T> = (0..layout.topics.len()).collect();
    topics.sort_by_key(|topic| layout.topics[*topic].subscribers.len());
    let partitions = |topic: T| layout.topics[topic].partitions();
    let ranges: Vec<_> = topics.into_iter().map(partitions).collect();
    ranges.into_iter().flatten()
}

struct Balance<'a> {
    layout: &'a Layout<'a>,
    racks: &'a Racks,
    previous: &'a [Option<M>],
    shares: Vec<Vec<P>>,
    owner: Vec<Option<M>>,
    /// Who can neither give nor take any more.
    is_fixed: Vec<bool>,
    /// The others, who has least first.
    by_count: BTreeSet<(usize, M)>,
    movements: Movements,
    /// Per topic; none where it has changed since it was asked for.
    extremes: Vec<Option<Extremes>>,
}

/// The subscriber of a topic with the fewest partitions, and how many its owner with the most has.
#[derive(Clone, Copy, Debug)]
struct Extremes {
    least: (usize, M),
    most: usize,
}

impl<'a> Balance<'a> {
    fn new(layout: &'a Layout<'a>, racks: &'a Racks, claims: &'a Claims) -> Self {
        let mut owner = vec![None; layout.partition_count()];
        for (m, owned) in claims.owned.iter().enumerate() {
            for p in owned {
                owner[*p] = Some(m);
            }
        }
        Self {
            layout,
            racks,
            previous: &claims.previous,
            shares: claims.owned.clone(),
            owner,
            is_fixed: vec![false; layout.members.len()],
            by_count: BTreeSet::new(),
            movements: Movements::default(),
            extremes: vec![None; layout.topics.len()],
        }
    }

    /// Takes from members what they no longer subscribe to, or have no replica near of. True where there was such.
    fn drop_what_does_not_fit(&mut self) -> bool {
        let mut has_dropped = false;
        for (m, share) in self.shares.iter_mut().enumerate() {
            share.retain(|p| {
                let topic = self.layout.topic_of(*p);
                let fits = self.layout.subscribes(m, topic) && !self.racks.mismatch(m, *p);
                if !fits {
                    self.owner[*p] = None;
                }
                has_dropped |= !fits;
                fits
            });
        }
        let counts = self.shares.iter().enumerate();
        self.by_count = counts.map(|(m, share)| (share.len(), m)).collect();
        has_dropped
    }

    /// Near replicas first, where racks are minded, then anywhere.
    fn give_out(&mut self, free: &[P]) {
        if self.racks.are_minded() {
            for p in free {
                self.give(*p, true);
            }
        }
        for p in free {
            if self.owner[*p].is_none() {
                self.give(*p, false);
            }
        }
    }

    fn give(&mut self, p: P, must_be_near: bool) {
        let topic = self.layout.topic_of(p);
        let may_have =
            |m: M| self.layout.subscribes(m, topic) && !(must_be_near && self.racks.mismatch(m, p));
        let found = self.by_count.iter().find(|(_, m)| may_have(*m));
        if let Some((count, m)) = found.copied() {
            self.by_count.remove(&(count, m));
            self.shares[m].push(p);
            self.owner[p] = Some(m);
            self.by_count.insert((count + 1, m));
        }
    }

    fn is_movable(&self, p: P) -> bool {
        self.layout.topics[self.layout.topic_of(p)]
            .subscribers
            .len()
            >= 2
    }

    /// Leaves out who has everything it can have, of topics that are its alone.
    fn fix(&mut self) {
        let mut possible = vec![0; self.shares.len()];
        for topic in &self.layout.topics {
            for m in &topic.subscribers {
                possible[*m] += topic.partitions().len();
            }
        }
        for (m, possible) in possible.into_iter().enumerate() {
            let share = &self.shares[m];
            if share.len() >= possible && !share.iter().any(|p| self.is_movable(*p)) {
                self.by_count.remove(&(share.len(), m));
                self.is_fixed[m] = true;
            }
        }
    }

    /// Moves partitions of the list, again and again, until nothing is left to be gained.
    fn even_out(&mut self, partitions: &[P]) -> bool {
        let mut has_moved = false;
        loop {
            let mut moves = false;
            for p in partitions {
                if self.is_even() {
                    break;
                }
                moves |= self.improve(*p);
            }
            if !moves {
                return has_moved;
            }
            has_moved = true;
        }
    }

    /// Moves the partition to who had it before, or has less, if its owner has too much.
    fn improve(&mut self, p: P) -> bool {
        let Some(owner) = self.owner[p] else {
            return false;
        };
        let count = self.shares[owner].len();
        let topic = self.layout.topic_of(p);
        let previous = self.previous[p].filter(|m| {
            !self.is_fixed[*m]
                && self.layout.subscribes(*m, topic)
                && count > self.shares[*m].len() + 1
        });
        if let Some(previous) = previous {
            self.hand_over(p, owner, previous);
            return true;
        }
        let least = self.extremes_of(topic).least;
        if count > least.0 + 1 {
            self.hand_over(p, owner, least.1);
            return true;
        }
        false
    }

    fn hand_over(&mut self, p: P, from: M, to: M) {
        let p = self.movements.instead(self.layout, p, from, to);
        let Some(from) = self.owner[p] else {
            return;
        };
        self.movements.note(self.layout, p, from, to);
        for m in [from, to] {
            self.by_count.remove(&(self.shares[m].len(), m));
        }
        self.shares[from].retain(|owned| *owned != p);
        self.shares[to].push(p);
        self.owner[p] = Some(to);
        for m in [from, to] {
            self.by_count.insert((self.shares[m].len(), m));
            for (topic, extremes) in self.extremes.iter_mut().enumerate() {
                if self.layout.subscribes(m, topic) {
                    *extremes = None;
                }
            }
        }
    }

    fn extremes_of(&mut self, topic: T) -> Extremes {
        if let Some(known) = self.extremes[topic] {
            return known;
        }
        let of = &self.layout.topics[topic];
        let count = |m: M| self.shares[m].len();
        let least = of.subscribers.iter().map(|m| (count(*m), *m)).min();
        let owners = of.partitions().filter_map(|p| self.owner[p]);
        let extremes = Extremes {
            least: least.unwrap_or_default(),
            most: owners.map(count).max().unwrap_or(0),
        };
        self.extremes[topic] = Some(extremes);
        extremes
    }

    /// Whether no member could have a partition of another that has at least two more.
    fn is_even(&mut self) -> bool {
        let counts = (self.by_count.first(), self.by_count.last());
        if let (Some((least, _)), Some((most, _))) = counts
            && least + 1 >= *most
        {
            return true;
        }
        (0..self.layout.topics.len()).all(|topic| {
            let extremes = self.extremes_of(topic);
            extremes.least.0 + 1 >= extremes.most
        })
    }

    fn unevenness(&self) -> usize {
        unevenness(&self.shares, &self.is_fixed)
    }
}

/// The differences between all pairs of members that are not fixed.
fn unevenness(shares: &[Vec<P>], is_fixed: &[bool]) -> usize {
    let shares = shares.iter().zip(is_fixed);
    let counts = shares.filter(|(_, is_fixed)| !**is_fixed);
    let mut counts: Vec<usize> = counts.map(|(share, _)| share.len()).collect();
    counts.sort_unstable();
    let (mut total, mut sum) = (0, 0);
    for (smaller, count) in counts.into_iter().enumerate() {
        total += count * smaller - sum;
        sum += count;
    }
    total
}
