//! Even shares with few moves: members keep what they had as far as that is fair.
//!
//! The group is numbered ([`layout`]), what members claim to have had is sorted out ([`claims`]), then one of two ways
//! shares out: [`uniform`] where all subscribe to the same, [`general`] otherwise. Where racks are known, partitions go
//! to members near a replica as far as that changes no member's share (KIP-881).
//!
//! Given the members in the same order, the answer is the reference's, its mistake included: members that subscribe to
//! nothing and come before all others get partitions like them. A leader of ours meets such members last.

use super::{ByMember, Member, Topics};

mod claims;
mod general;
mod hash_order;
mod layout;
mod movements;
mod racks;
#[cfg(test)]
mod tests;
mod uniform;

use claims::{Claims, Source};
pub(super) use claims::{cooperative_user_data, sticky_user_data};
use layout::{Layout, P};
use racks::Racks;

/// For members that have let go everything. The order of the members decides what else leaves open.
pub(super) fn assign(topics: &Topics, members: &[Member]) -> ByMember {
    let layout = Layout::new(topics, members);
    layout.named(share_out(&layout, Source::UserData).shares)
}

/// For members that have kept everything: what has to change hands is given to nobody, and follows when its owner has
/// let it go and joined again.
pub(super) fn assign_cooperatively(topics: &Topics, members: &[Member]) -> ByMember {
    let layout = Layout::new(topics, members);
    let outcome = share_out(&layout, Source::Owned);
    let mut must_wait = vec![false; layout.partition_count()];
    match outcome.moved {
        Some(moved) => moved.into_iter().for_each(|p| must_wait[p] = true),
        None => must_wait = still_owned(&layout, &outcome.shares),
    }
    let mut shares = outcome.shares;
    for share in &mut shares {
        share.retain(|p| !must_wait[*p]);
    }
    layout.named(shares)
}

/// The members in the order in which the reference's leader meets them, but those that subscribe to nothing last: where
/// they came first they would be given what they do not want, and the group would never settle.
pub(super) fn in_leaders_order(members: &[Member]) -> Vec<Member> {
    let ids = members.iter().map(|member| member.id.as_str());
    let order = hash_order::hash_order(ids).into_iter();
    let mut ordered: Vec<Member> = order
        .filter_map(|index| members.get(index).cloned())
        .collect();
    ordered.sort_by_key(|member| member.topics.is_empty());
    ordered
}

struct Outcome {
    shares: Vec<Vec<P>>,
    /// What changes hands, where that is known.
    moved: Option<Vec<P>>,
}

fn share_out(layout: &Layout<'_>, source: Source) -> Outcome {
    let racks = Racks::new(layout);
    let claims = Claims::new(layout, source);
    if layout.is_uniform() {
        let uniform::Outcome { shares, moved } = uniform::assign(layout, &racks, &claims);
        return Outcome {
            shares,
            moved: Some(moved),
        };
    }
    Outcome {
        shares: general::assign(layout, &racks, &claims),
        moved: None,
    }
}

/// What a member gets new, and another one has not let go.
fn still_owned(layout: &Layout<'_>, shares: &[Vec<P>]) -> Vec<bool> {
    let mut owner = vec![None; layout.partition_count()];
    for (m, share) in shares.iter().enumerate() {
        for p in share {
            owner[*p] = Some(m);
        }
    }
    let (mut is_kept, mut is_let_go) = (vec![false; owner.len()], vec![false; owner.len()]);
    for (m, member) in layout.members.iter().enumerate() {
        for p in member.owned.iter().filter_map(|at| layout.find(at)) {
            match owner[p] {
                Some(keeper) if keeper == m => is_kept[p] = true,
                _ => is_let_go[p] = true,
            }
        }
    }
    let waits = is_kept.into_iter().zip(is_let_go);
    waits.map(|(kept, let_go)| let_go && !kept).collect()
}
