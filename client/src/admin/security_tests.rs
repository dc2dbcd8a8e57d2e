//! What the calls about ACLs, quotas and credentials say to a broker, and make of its answers.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse, CreateAclsResponse, DeleteAclsRequest, DeleteAclsResponse,
    api::{
        alter_client_quotas::response::EntryData,
        alter_user_scram_credentials::response::AlterUserScramCredentialsResult,
        create_acls::response::AclCreationResult,
        delete_acls::response::{DeleteAclsFilterResult, DeleteAclsMatchingAcl},
    },
};

use crate::testing::{Answer, Incoming, cluster_of_one, quick_cluster};

use super::*;

/// The only request of its kind that a broker with such answers gets from such a call.
async fn asked<R: Request, T>(
    answer: fn(&Incoming) -> Answer,
    call: impl AsyncFnOnce(Admin) -> T,
) -> (R, T) {
    let (endpoint, seen) = cluster_of_one(answer).await;
    let admin = Admin::connect(quick_cluster(vec![endpoint])).await;
    let outcome = call(admin.expect("a cluster")).await;
    let seen = seen.lock().expect("whole");
    let mut requests = seen.iter().filter(|request| request.is::<R>());
    (requests.next().expect("a request").body(), outcome)
}

fn readers_of(topic: &str) -> AclBinding {
    AclBinding {
        resource: ResourcePattern {
            kind: AclResourceType::Topic,
            name: topic.to_owned(),
            pattern: PatternType::Prefixed,
        },
        entry: AclEntry {
            principal: "User:alice".to_owned(),
            host: "*".to_owned(),
            operation: AclOperation::Read,
            permission: AclPermission::Allow,
        },
    }
}

#[tokio::test]
async fn a_filter_without_an_entry_lets_every_entry_through_and_what_was_deleted_is_told() {
    let answer = |request: &Incoming| {
        let matching = DeleteAclsMatchingAcl {
            resource_type: 2,
            resource_name: "orders-".into(),
            pattern_type: 4,
            principal: "User:alice".into(),
            host: "*".into(),
            operation: 3,
            permission_type: 3,
            ..Default::default()
        };
        request.answer(&DeleteAclsResponse {
            filter_results: vec![DeleteAclsFilterResult {
                matching_acls: vec![matching],
                ..Default::default()
            }],
            ..Default::default()
        })
    };
    let acl = readers_of("orders-");
    let filters = [None, Some(acl.entry.clone())].map(|entry| AclFilter {
        resource: acl.resource.clone().into(),
        entry,
    });
    let (request, outcomes): (DeleteAclsRequest, _) =
        asked(answer, async |admin| admin.delete_acls(&filters).await).await;
    let told = |filter: &ottla_protocol::messages::delete_acls::request::DeleteAclsFilter| {
        let principal = filter.principal_filter.as_ref().map(ToString::to_string);
        (
            filter.pattern_type_filter,
            principal,
            filter.operation,
            filter.permission_type,
        )
    };
    let told: Vec<_> = request.filters.iter().map(told).collect();
    assert_eq!(
        told,
        [(4, None, 1, 1), (4, Some("User:alice".to_owned()), 3, 3)]
    );
    let outcomes = outcomes.expect("an answer");
    assert_eq!(outcomes[0], Ok(vec![acl]));
    // The broker has said nothing of the second.
    assert!(outcomes[1].is_err());
}

#[tokio::test]
async fn each_acl_has_an_outcome_of_its_own() {
    let answer = |request: &Incoming| {
        let refused = AclCreationResult {
            error_code: ErrorCode::InvalidRequest.code(),
            error_message: Some("no such principal".into()),
            ..Default::default()
        };
        request.answer(&CreateAclsResponse {
            results: vec![AclCreationResult::default(), refused],
            ..Default::default()
        })
    };
    let acls = [readers_of("a"), readers_of("b")];
    let (_, outcomes): (ottla_protocol::messages::CreateAclsRequest, _) =
        asked(answer, async |admin| admin.create_acls(&acls).await).await;
    let outcomes = outcomes.expect("an answer");
    assert_eq!(outcomes[0], Ok(()));
    let error = outcomes[1].as_ref().expect_err("a refusal");
    assert_eq!(error.text(), "no such principal");
}

#[tokio::test]
async fn a_quota_without_a_value_is_taken_away_and_no_name_is_the_default() {
    let answer = |request: &Incoming| {
        request.answer(&AlterClientQuotasResponse {
            entries: vec![EntryData::default()],
            ..Default::default()
        })
    };
    let entity = vec![
        (QuotaEntityType::User, None),
        (QuotaEntityType::ClientId, Some("app".to_owned())),
    ];
    let changes = [
        ("producer_byte_rate".to_owned(), Some(7.0)),
        ("consumer_byte_rate".to_owned(), None),
    ];
    let (request, outcome): (AlterClientQuotasRequest, _) = asked(answer, async |admin| {
        admin.alter_client_quotas(&entity, &changes).await
    })
    .await;
    assert_eq!(outcome.expect("an answer"), Ok(()));
    let entry = &request.entries[0];
    let names: Vec<_> = entry
        .entity
        .iter()
        .map(|part| part.entity_name.clone())
        .collect();
    assert_eq!(names, [None, Some("app".into())]);
    let ops: Vec<_> = entry.ops.iter().map(|op| (op.value, op.remove)).collect();
    assert_eq!(ops, [(7.0, false), (0.0, true)]);
}

#[tokio::test]
async fn a_password_leaves_only_salted_and_a_refusal_is_told() {
    let answer = |request: &Incoming| {
        let result = |code: ErrorCode| AlterUserScramCredentialsResult {
            user: "bob".into(),
            error_code: code.code(),
            ..Default::default()
        };
        request.answer(&AlterUserScramCredentialsResponse {
            results: vec![
                result(ErrorCode::None),
                result(ErrorCode::UnacceptableCredential),
            ],
            ..Default::default()
        })
    };
    let changes = [
        ScramChange::Delete(ScramMechanism::Sha256),
        ScramChange::Set {
            mechanism: ScramMechanism::Sha512,
            iterations: 4096,
            password: "secret".to_owned(),
        },
    ];
    let (request, outcome): (AlterUserScramCredentialsRequest, _) = asked(answer, async |admin| {
        admin.alter_scram_credentials("bob", &changes).await
    })
    .await;
    let refused = outcome.expect("an answer").expect_err("a refusal");
    assert_eq!(refused.code, ErrorCode::UnacceptableCredential);
    assert_eq!(
        (request.deletions.len(), request.deletions[0].mechanism),
        (1, 1)
    );
    let made = &request.upsertions[0];
    assert_eq!((made.mechanism, made.iterations), (2, 4096));
    assert_eq!((made.salt.len(), made.salted_password.len()), (24, 64));
}
