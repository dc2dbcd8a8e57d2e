//! DescribeAcls (29), CreateAcls (30), DeleteAcls (31): access control lists. There is no authorizer, and that is what all
//! three are told, in the reference's words.
//!
//! Version 1 has prefixes of names (KIP-290), 2 the flexible format, 3 users as resources (KIP-373).

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::create_acls::response::AclCreationResult;
use ottla_protocol::messages::delete_acls::response::DeleteAclsFilterResult;
use ottla_protocol::messages::{
    CreateAclsRequest, CreateAclsResponse, DeleteAclsRequest, DeleteAclsResponse,
    DescribeAclsRequest, DescribeAclsResponse,
};
use ottla_protocol::wire::StrBytes;

use super::{Answer, Context};

const CODE: i16 = ErrorCode::SecurityDisabled.code();
const NOTHING_TO_CHANGE: Option<StrBytes> =
    Some(StrBytes::from_static("No Authorizer is configured."));

pub(crate) fn describe(_: &Context<'_>, _: DescribeAclsRequest) -> Answer<DescribeAclsResponse> {
    Answer::now(DescribeAclsResponse {
        error_code: CODE,
        error_message: Some(StrBytes::from_static(
            "No Authorizer is configured on the broker",
        )),
        ..Default::default()
    })
}

pub(crate) fn create(_: &Context<'_>, request: CreateAclsRequest) -> Answer<CreateAclsResponse> {
    let refused = |_| AclCreationResult {
        error_code: CODE,
        error_message: NOTHING_TO_CHANGE,
        ..Default::default()
    };
    Answer::now(CreateAclsResponse {
        results: request.creations.into_iter().map(refused).collect(),
        ..Default::default()
    })
}

pub(crate) fn delete(_: &Context<'_>, request: DeleteAclsRequest) -> Answer<DeleteAclsResponse> {
    let refused = |_| DeleteAclsFilterResult {
        error_code: CODE,
        error_message: NOTHING_TO_CHANGE,
        ..Default::default()
    };
    Answer::now(DeleteAclsResponse {
        filter_results: request.filters.into_iter().map(refused).collect(),
        ..Default::default()
    })
}
