//! Sessions, and the time that a member has to give partitions up.

use ottla_protocol::types::Millis;

use super::group::ConsumerGroup;
use super::member::{ConsumerMember, LEFT_FOR_NOW, MemberState};
use super::records::{Change, ConsumerRecord, Records};
use super::step::{Step, revocation_timer};
use crate::effects::Effects;
use crate::group::GroupMachine;

impl GroupMachine {
    /// Nothing was heard of the member for a session's time.
    pub(in crate::group) fn session_over(
        &mut self,
        now: Millis,
        group_id: &str,
        member_id: &str,
        out: &mut Effects<Self>,
    ) {
        self.fence_if(now, group_id, member_id, out, |_| true);
    }

    /// The member was told to give partitions up, and has not.
    pub(in crate::group) fn revocation_over(
        &mut self,
        now: Millis,
        group_id: &str,
        member_id: &str,
        out: &mut Effects<Self>,
    ) {
        self.fence_if(now, group_id, member_id, out, |member| {
            member.state == MemberState::UnrevokedPartitions && member.epoch != LEFT_FOR_NOW
        });
    }

    /// A member of the classic protocol was told to join again, or has joined and not synced, and has let its time pass.
    pub(in crate::group) fn rejoin_over(
        &mut self,
        now: Millis,
        group_id: &str,
        member_id: &str,
        out: &mut Effects<Self>,
    ) {
        if let Some(soft) = self.soft.consumers.get_mut(group_id) {
            soft.rejoining.remove(member_id);
        }
        self.fence_if(now, group_id, member_id, out, |member| {
            member.classic.is_some()
        });
    }

    fn fence_if(
        &mut self,
        now: Millis,
        group_id: &str,
        member_id: &str,
        out: &mut Effects<Self>,
        is_overdue: impl FnOnce(&ConsumerMember) -> bool,
    ) {
        let group: Option<&ConsumerGroup> = self.hard.consumer_group(group_id);
        let member = group.and_then(|group| Some((group, group.members.get(member_id)?)));
        if let Some((group, member)) = member.filter(|(_, member)| is_overdue(member)) {
            let step = self.fence(now, group_id, group, &[member]);
            self.take_step(now, step, Vec::new(), out);
        }
    }

    /// Loading is over: members have one session's time to show up.
    pub(in crate::group) fn restore_consumers(&mut self, now: Millis, out: &mut Effects<Self>) {
        let mut mending = Vec::new();
        for (group_id, group) in self.hard.consumer_groups() {
            for member in group.members.values() {
                self.arm_timers(now, group_id, member, out);
            }
            mending.extend(self.mend(now, group_id, group));
        }
        for step in mending {
            self.take_step(now, step, Vec::new(), out);
        }
    }

    /// What makes a group fit for service of whose log a power cut has taken a batch and left a later one. Nobody was told
    /// of either. Who shares a partition joins anew, as nothing tells whose it is; else a new epoch is fresh start enough.
    fn mend(&self, now: Millis, group_id: &str, group: &ConsumerGroup) -> Option<Step> {
        let co_owners = group.co_owners();
        if !co_owners.is_empty() {
            return Some(self.fence(now, group_id, group, &co_owners));
        }
        group.is_behind().then(|| {
            let mut records = Records::new(group_id);
            records.group_epoch(group.next_epoch(), group.metadata_hash);
            Step {
                group_id: group_id.to_owned(),
                records: records.take(),
                ..Default::default()
            }
        })
    }

    /// The log refused a group's epoch. Where that was to mend the group, it still has to be.
    pub(in crate::group) fn note_torn(&mut self, now: Millis, refused: &ConsumerRecord) {
        let group_id = &refused.group_id;
        let group = self.hard.consumer_group(group_id);
        if let (Some(group), Change::Group(_)) = (group, &refused.change)
            && self.mend(now, group_id, group).is_some()
        {
            self.soft.torn.insert(group_id.clone());
        }
    }

    /// Whether a member has to ask again, as the group is only being mended now.
    pub(super) fn mends_first(
        &mut self,
        now: Millis,
        group_id: &str,
        out: &mut Effects<Self>,
    ) -> bool {
        if !self.soft.torn.remove(group_id) {
            return false;
        }
        let group = self.hard.consumer_group(group_id);
        if let Some(step) = group.and_then(|group| self.mend(now, group_id, group)) {
            self.take_step(now, step, Vec::new(), out);
        }
        true
    }

    /// The log refused to let members go. They are in still, so their time begins anew.
    pub(in crate::group) fn keep_members(
        &self,
        now: Millis,
        refused: &ConsumerRecord,
        out: &mut Effects<Self>,
    ) {
        let group = self.hard.consumer_group(&refused.group_id);
        if let (Some(group), Change::Member(id, None)) = (group, &refused.change)
            && let Some(member) = group.members.get(id)
        {
            self.arm_timers(now, &refused.group_id, member, out);
        }
    }

    fn arm_timers(
        &self,
        now: Millis,
        group_id: &str,
        member: &ConsumerMember,
        out: &mut Effects<Self>,
    ) {
        let session = self.session_timer(now, group_id, member);
        let revocation = revocation_timer(now, group_id, member);
        for (timer, at) in [Some(session), revocation].into_iter().flatten() {
            if let Some(at) = at {
                out.arm(timer, at);
            }
        }
    }
}
