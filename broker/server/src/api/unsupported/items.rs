//! Refusals of APIs whose response has an error for each thing that the request named, and none for itself.

use ottla_protocol::messages::{
    self, AlterClientQuotasRequest, AlterClientQuotasResponse, AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse, DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsResponse, ShareGroupDescribeRequest, ShareGroupDescribeResponse,
    StreamsGroupDescribeRequest, StreamsGroupDescribeResponse, alter_client_quotas,
};
use ottla_protocol::wire::StrBytes;

use super::{CODE, message};

/// A request that can be answered with a refusal of each thing it names.
pub(super) trait Refusable: messages::Request {
    fn refusal(self) -> Self::Response;
}

impl Refusable for AlterClientQuotasRequest {
    fn refusal(self) -> AlterClientQuotasResponse {
        use alter_client_quotas::response::{EntityData, EntryData};
        let entries = self.entries.into_iter().map(|entry| EntryData {
            error_code: CODE,
            error_message: message(),
            entity: entry
                .entity
                .into_iter()
                .map(|entity| EntityData {
                    entity_type: entity.entity_type,
                    entity_name: entity.entity_name,
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        });
        AlterClientQuotasResponse {
            entries: entries.collect(),
            ..Default::default()
        }
    }
}

/// Responses that are one list, with an error in each of its items.
macro_rules! refusable {
    ($($request:ident => $response:ident { $list:ident: $item:path }, $items:expr;)*) => {
        $(impl Refusable for $request {
            fn refusal(self) -> $response {
                let items: fn(Self) -> Vec<$item> = $items;
                $response { $list: items(self), ..Default::default() }
            }
        })*
    };
}

use messages::alter_user_scram_credentials::response::AlterUserScramCredentialsResult;
use messages::describe_share_group_offsets::request::DescribeShareGroupOffsetsRequestGroup;
use messages::describe_share_group_offsets::response::DescribeShareGroupOffsetsResponseGroup;
use messages::share_group_describe::response::DescribedGroup as ShareGroup;
use messages::streams_group_describe::response::DescribedGroup as StreamsGroup;

refusable! {
    ShareGroupDescribeRequest => ShareGroupDescribeResponse { groups: ShareGroup }, |request| {
        let refuse = |group_id: StrBytes| ShareGroup {
            group_id, error_code: CODE, error_message: message(), ..Default::default()
        };
        request.group_ids.into_iter().map(refuse).collect()
    };
    StreamsGroupDescribeRequest => StreamsGroupDescribeResponse { groups: StreamsGroup }, |request| {
        let refuse = |group_id: StrBytes| StreamsGroup {
            group_id, error_code: CODE, error_message: message(), ..Default::default()
        };
        request.group_ids.into_iter().map(refuse).collect()
    };
    DescribeShareGroupOffsetsRequest => DescribeShareGroupOffsetsResponse { groups: DescribeShareGroupOffsetsResponseGroup }, |request| {
        let refuse = |group: DescribeShareGroupOffsetsRequestGroup| DescribeShareGroupOffsetsResponseGroup {
            group_id: group.group_id, error_code: CODE, error_message: message(), ..Default::default()
        };
        request.groups.into_iter().map(refuse).collect()
    };
    AlterUserScramCredentialsRequest => AlterUserScramCredentialsResponse { results: AlterUserScramCredentialsResult }, |request| {
        let deleted = request.deletions.into_iter().map(|deletion| deletion.name);
        let named = deleted.chain(request.upsertions.into_iter().map(|upsertion| upsertion.name));
        let refuse = |user| AlterUserScramCredentialsResult {
            user, error_code: CODE, error_message: message(), ..Default::default()
        };
        named.map(refuse).collect()
    };
}
