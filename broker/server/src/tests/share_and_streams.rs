//! Share and streams groups are not served, and whoever asks for one is told so in the response that was asked for.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::describe_share_group_offsets::request::DescribeShareGroupOffsetsRequestGroup;
use ottla_protocol::messages::{
    ApiVersionsRequest, DescribeShareGroupOffsetsRequest, ShareFetchRequest,
    ShareGroupDescribeRequest, ShareGroupHeartbeatRequest, StreamsGroupDescribeRequest,
    StreamsGroupHeartbeatRequest,
};

use crate::testing::TestServer;

const REFUSED: i16 = ErrorCode::UnsupportedVersion.code();

#[test]
fn whoever_would_be_a_member_is_refused() {
    let server = TestServer::start(&[]);
    let mut client = server.connect();
    let share = client.call(&ShareGroupHeartbeatRequest::default(), 1);
    assert_eq!(share.error_code, REFUSED);
    let fetched = client.call(&ShareFetchRequest::default(), 1);
    assert_eq!(fetched.error_code, REFUSED);
    let streams = client.call(&StreamsGroupHeartbeatRequest::default(), 0);
    assert_eq!(streams.error_code, REFUSED);
}

#[test]
fn each_group_that_a_tool_asks_about_is_refused_by_name() {
    let server = TestServer::start(&[]);
    let mut client = server.connect();
    let asked = ShareGroupDescribeRequest {
        group_ids: vec!["a".into(), "b".into()],
        ..Default::default()
    };
    let told = client.call(&asked, 1).groups.into_iter();
    let told: Vec<_> = told.map(|g| (g.group_id, g.error_code)).collect();
    assert_eq!(told, [("a".into(), REFUSED), ("b".into(), REFUSED)]);
    let asked = StreamsGroupDescribeRequest {
        group_ids: vec!["c".into()],
        ..Default::default()
    };
    let told = &client.call(&asked, 0).groups[0];
    assert_eq!((&*told.group_id, told.error_code), ("c", REFUSED));
    let asked = DescribeShareGroupOffsetsRequest {
        groups: vec![DescribeShareGroupOffsetsRequestGroup {
            group_id: "d".into(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let told = &client.call(&asked, 0).groups[0];
    assert_eq!((&*told.group_id, told.error_code), ("d", REFUSED));
}

#[test]
fn no_feature_promises_such_groups() {
    let server = TestServer::start(&[]);
    let told = server.connect().call(&ApiVersionsRequest::default(), 4);
    let names = told.supported_features.iter().map(|f| &*f.name);
    let names = names.chain(told.finalized_features.iter().map(|f| &*f.name));
    let promised: Vec<&str> = names
        .filter(|name| ["share.version", "streams.version"].contains(name))
        .collect();
    assert!(promised.is_empty(), "{promised:?}");
}
