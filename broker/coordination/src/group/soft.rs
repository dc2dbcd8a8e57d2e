//! Soft state; follows in the next commits.
#![allow(clippy::unimplemented, unused_variables)]
use super::*;
use ottla_protocol::messages::offset_fetch::request::OffsetFetchRequestGroup;
use ottla_protocol::messages::*;
use ottla_protocol::wire::StrBytes;

#[derive(Debug, Default)]
pub(super) struct Soft {}

impl Soft {
    pub(super) fn follow(&mut self, _: &Hard, _: &GroupRecord) {}
}

impl GroupMachine {
    pub(super) fn join_group(
        &mut self,
        now: Millis,
        token: ReplyToken,
        join: JoinGroup,
        out: &mut Effects<Self>,
    ) {
        unimplemented!()
    }
    pub(super) fn sync_group(
        &mut self,
        now: Millis,
        token: ReplyToken,
        request: SyncGroupRequest,
        out: &mut Effects<Self>,
    ) {
        unimplemented!()
    }
    pub(super) fn heartbeat(
        &mut self,
        now: Millis,
        token: ReplyToken,
        request: &HeartbeatRequest,
        out: &mut Effects<Self>,
    ) {
        unimplemented!()
    }
    pub(super) fn leave_group(
        &mut self,
        now: Millis,
        token: ReplyToken,
        request: &LeaveGroupRequest,
        out: &mut Effects<Self>,
    ) {
        unimplemented!()
    }
    pub(super) fn describe_groups(
        &mut self,
        ids: Vec<StrBytes>,
        unknown: UnknownGroup,
    ) -> Response {
        unimplemented!()
    }
    pub(super) fn list_groups(&mut self, s: &[StrBytes], t: &[StrBytes]) -> Response {
        unimplemented!()
    }
    pub(super) fn delete_groups(
        &mut self,
        token: ReplyToken,
        ids: Vec<StrBytes>,
        out: &mut Effects<Self>,
    ) {
        unimplemented!()
    }
    pub(super) fn offset_commit(
        &mut self,
        now: Millis,
        token: ReplyToken,
        r: &OffsetCommitRequest,
        u: UnknownGroup,
        out: &mut Effects<Self>,
    ) {
        unimplemented!()
    }
    pub(super) fn offset_fetch(&mut self, g: &OffsetFetchRequestGroup) -> Response {
        unimplemented!()
    }
    pub(super) fn offset_delete(
        &mut self,
        token: ReplyToken,
        r: &OffsetDeleteRequest,
        out: &mut Effects<Self>,
    ) {
        unimplemented!()
    }
    pub(super) fn partitions_deleted(
        &mut self,
        token: ReplyToken,
        p: &[(String, i32)],
        out: &mut Effects<Self>,
    ) {
        unimplemented!()
    }
    pub(super) fn expire_member(&mut self, now: Millis, g: &str, m: &str, out: &mut Effects<Self>) {
        unimplemented!()
    }
    pub(super) fn join_phase_over(&mut self, now: Millis, g: &str, out: &mut Effects<Self>) {
        unimplemented!()
    }
    pub(super) fn expire_pending_sync(&mut self, now: Millis, g: &str, out: &mut Effects<Self>) {
        unimplemented!()
    }
    pub(super) fn expire_offsets(&mut self, now: Millis, out: &mut Effects<Self>) {
        unimplemented!()
    }
    pub(super) fn restore(&mut self, now: Millis, out: &mut Effects<Self>) {
        unimplemented!()
    }
    pub(super) fn take_back(
        &mut self,
        now: Millis,
        r: &[GroupRecord],
        e: ErrorCode,
        out: &mut Effects<Self>,
    ) {
        unimplemented!()
    }
}
