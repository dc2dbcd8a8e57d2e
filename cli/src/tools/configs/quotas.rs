//! Quotas of users, clients and addresses: what the options ask for, and the answers in the reference's layout and order.
//! Pure.

use ottla_client::admin::{QuotaEntity, QuotaEntityType, QuotaMatch, Quotas};

use super::check::Entities;
use super::plan::{CLIENTS, IPS, Plan, USERS};
use super::scram;
use crate::java_format;
use crate::java_order::{self, hash};
use crate::stop::Failure;

const OF_USERS_AND_CLIENTS: [&str; 4] = [
    "producer_byte_rate",
    "consumer_byte_rate",
    "request_percentage",
    "controller_mutation_rate",
];
const OF_IPS: [&str; 1] = ["connection_creation_rate"];

/// What such entities are in requests; `None` for those whose configuration is that of a resource.
pub(super) fn entity_type(plural: &str) -> Option<QuotaEntityType> {
    match plural {
        USERS => Some(QuotaEntityType::User),
        CLIENTS => Some(QuotaEntityType::ClientId),
        IPS => Some(QuotaEntityType::Ip),
        _ => None,
    }
}

/// Types with names as far as there are some.
fn named(entities: &Entities) -> impl Iterator<Item = (QuotaEntityType, Option<&String>)> {
    let types = entities.types.iter().filter_map(|kind| entity_type(kind));
    types.zip(
        entities
            .names
            .iter()
            .map(Some)
            .chain(std::iter::repeat(None)),
    )
}

pub(super) fn describe(entities: &Entities) -> Result<Plan, Failure> {
    if entities.names.len() > entities.types.len() {
        return Err(Failure::new(
            "More entity names specified than entity types",
        ));
    }
    // Credentials have neither clients nor defaults.
    let only_users = entities.types == [USERS] && !entities.names.contains(&String::new());
    Ok(Plan::DescribeQuotas {
        components: components(entities),
        users: only_users.then(|| entities.names.clone()),
    })
}

fn components(entities: &Entities) -> Vec<(QuotaEntityType, QuotaMatch)> {
    let component = |(kind, name): (QuotaEntityType, Option<&String>)| {
        let which = match name {
            None => QuotaMatch::Any,
            Some(name) if name.is_empty() => QuotaMatch::Default,
            Some(name) => QuotaMatch::Name(name.clone()),
        };
        (kind, which)
    };
    named(entities).map(component).collect()
}

/// Changes of quotas, or of a user's credentials, which the keys tell.
pub(super) fn alter(
    entities: &Entities,
    added: Vec<(String, String)>,
    deleted: Vec<String>,
) -> Result<Plan, Failure> {
    let [first, ..] = entities.types.as_slice() else {
        return Err(Failure::new("At least one entity type must be specified"));
    };
    let has_credentials = first == USERS && entities.types.len() == 1;
    let keys: &[&str] = if first == IPS {
        &OF_IPS
    } else {
        &OF_USERS_AND_CLIENTS
    };
    let is_quota = |key: &str| keys.contains(&key);
    let is_known = |key: &str| is_quota(key) || has_credentials && scram::mechanism(key).is_some();
    for (verb, names) in [
        (
            "added",
            added.iter().map(|(key, _)| key).collect::<Vec<_>>(),
        ),
        ("deleted", deleted.iter().collect()),
    ] {
        let unknown: Vec<&str> = names
            .into_iter()
            .map(String::as_str)
            .filter(|key| !is_known(key))
            .collect();
        if !unknown.is_empty() {
            return Err(unexpected(first, has_credentials, verb, &unknown));
        }
    }
    let credentials = added
        .iter()
        .map(|(key, _)| key)
        .chain(&deleted)
        .filter(|key| !is_quota(key))
        .count();
    match (credentials, entities.names.first()) {
        (0, _) => quotas(entities, added, &deleted),
        (_, Some(name)) if name.is_empty() => Err(Failure::new(
            "The use of --entity-default or --user-defaults is not allowed with User SCRAM Credentials using \
             --bootstrap-server.",
        )),
        (count, _) if count < added.len() + deleted.len() => Err(Failure::new(
            "Cannot alter both quota and SCRAM credential configs simultaneously for 'users' using \
             --bootstrap-server.",
        )),
        (_, name) => scram::alter(name.cloned().unwrap_or_default(), &added, &deleted),
    }
}

fn unexpected(first: &str, has_credentials: bool, verb: &str, names: &[&str]) -> Failure {
    let (what, of) = match (first, has_credentials) {
        (IPS, _) => ("connection quota", IPS),
        (_, true) => ("quota and SCRAM credential", USERS),
        _ => ("quota", CLIENTS),
    };
    // The reference knows one verb only where there is one kind of key.
    let verb = if first == IPS { "added" } else { verb };
    let names = names.join(", ");
    let failure = Failure::new(format!(
        "Only {what} configs can be {verb} for '{of}' using --bootstrap-server. Unexpected config names: {names}"
    ));
    let keys: &[&str] = if first == IPS {
        &OF_IPS
    } else {
        &OF_USERS_AND_CLIENTS
    };
    failure.hint(format!("There are {}.", keys.join(", ")))
}

fn quotas(
    entities: &Entities,
    added: Vec<(String, String)>,
    deleted: &[String],
) -> Result<Plan, Failure> {
    let mut changes: Vec<(String, Option<f64>)> = Vec::new();
    for (key, value) in added {
        let number = java_format::parse_double(&value).ok_or_else(|| {
            Failure::new(format!(
                "Cannot parse quota configuration value for {key}: {value}"
            ))
        })?;
        changes.push((key, Some(number)));
    }
    changes.extend(deleted.iter().map(|key| (key.clone(), None)));
    let name = |name: Option<&String>| name.filter(|name| !name.is_empty()).cloned();
    let entity: QuotaEntity = named(entities).map(|(kind, it)| (kind, name(it))).collect();
    Ok(Plan::AlterQuotas {
        components: components(entities),
        entity,
        changes,
    })
}

/// Deleting what is not there is refused; topics and brokers take that as done.
pub(super) fn check_deleted(
    present: &[Quotas],
    changes: &[(String, Option<f64>)],
) -> Result<(), Failure> {
    let values = present.first().map(|quotas| quotas.values.as_slice());
    let values = values.unwrap_or_default();
    let missing: Vec<&str> = changes
        .iter()
        .filter(|(key, value)| value.is_none() && !values.iter().any(|(it, _)| it == key))
        .map(|(key, _)| key.as_str())
        .collect();
    match missing.as_slice() {
        [] => Ok(()),
        names => Err(
            Failure::new(format!("Invalid config(s): {}", names.join(",")))
                .hint("The entity has no such quota of its own."),
        ),
    }
}

/// In the order of the reference's maps, of entities and of values.
pub(super) fn sorted(mut found: Vec<Quotas>) -> Vec<Quotas> {
    let count = found.len();
    java_order::sort_by_hash(&mut found, Some(count), |quotas| {
        entity_hash(&quotas.entity)
    });
    for Quotas { values, .. } in &mut found {
        let count = values.len();
        java_order::sort(values, Some(count), |(key, _)| key);
    }
    found
}

/// A line for each entity.
pub(super) fn lines(found: &[Quotas]) -> String {
    found.iter().map(line).collect()
}

fn line(quotas: &Quotas) -> String {
    let part = |(kind, name): &(QuotaEntityType, Option<String>)| {
        let kind = match kind {
            QuotaEntityType::User => "user-principal",
            QuotaEntityType::ClientId => "client-id",
            QuotaEntityType::Ip => "ip",
        };
        match name {
            Some(name) => format!("{kind} '{name}'"),
            None => format!("the default {kind}"),
        }
    };
    let entity: Vec<String> = quotas.entity.iter().map(part).collect();
    let value = |(key, value): &(String, f64)| format!("{key}={}", java_format::double(*value));
    let values: Vec<String> = quotas.values.iter().map(value).collect();
    format!(
        "Quota configs for {} are {}\n",
        entity.join(", "),
        values.join(", ")
    )
}

/// `ClientQuotaEntity.hashCode`.
fn entity_hash(entity: &QuotaEntity) -> u32 {
    let part = |(kind, name): &(QuotaEntityType, Option<String>)| {
        hash(kind.name()) ^ name.as_deref().map_or(0, hash)
    };
    let parts = entity.iter().map(part);
    parts.fold(31, u32::wrapping_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entities(types: &[&str], names: &[&str]) -> Entities {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Entities {
            types: owned(types),
            names: owned(names),
        }
    }

    fn altered(
        types: &[&str],
        names: &[&str],
        added: &[&str],
        deleted: &[&str],
    ) -> Result<Plan, String> {
        let pair = |pair: &&str| {
            let (key, value) = pair.split_once('=').expect("a pair");
            (key.to_owned(), value.to_owned())
        };
        alter(
            &entities(types, names),
            added.iter().map(pair).collect(),
            deleted.iter().map(|key| (*key).to_owned()).collect(),
        )
        .map_err(|failure| failure.message)
    }

    #[test]
    fn entities_are_one_or_a_user_with_a_client() {
        let Ok(Plan::AlterQuotas {
            entity, changes, ..
        }) = altered(
            &[USERS, CLIENTS],
            &["", "app"],
            &["producer_byte_rate=1e3"],
            &["consumer_byte_rate"],
        )
        else {
            panic!("a good change")
        };
        let user = (QuotaEntityType::User, None);
        let client = (QuotaEntityType::ClientId, Some("app".to_owned()));
        assert_eq!(entity, [user, client]);
        let set = ("producer_byte_rate".to_owned(), Some(1000.0));
        assert_eq!(changes, [set, ("consumer_byte_rate".to_owned(), None)]);
    }

    #[test]
    fn keys_belong_to_their_entities() {
        for (types, names, added, deleted, message) in [
            (
                &[USERS][..],
                &["a"][..],
                &["nonsense=1"][..],
                &[][..],
                "Only quota and SCRAM credential configs can be added for 'users'",
            ),
            (
                &[USERS],
                &["a"],
                &[],
                &["nonsense"],
                "Only quota and SCRAM credential configs can be deleted for 'users'",
            ),
            (
                &[CLIENTS],
                &["a"],
                &["SCRAM-SHA-256=password=x"],
                &[],
                "Only quota configs can be added for 'clients'",
            ),
            (
                &[USERS, CLIENTS],
                &["a", "b"],
                &[],
                &["SCRAM-SHA-256"],
                "Only quota configs can be deleted for 'clients'",
            ),
            (
                &[IPS],
                &["::1"],
                &["producer_byte_rate=1"],
                &[],
                "Only connection quota configs can be added for 'ips'",
            ),
            (
                &[USERS],
                &[""],
                &["SCRAM-SHA-256=password=x"],
                &[],
                "The use of --entity-default or --user-defaults is not allowed",
            ),
            (
                &[USERS],
                &["a"],
                &["SCRAM-SHA-256=password=x", "request_percentage=1"],
                &[],
                "Cannot alter both quota and SCRAM credential configs",
            ),
            (
                &[USERS],
                &["a"],
                &["producer_byte_rate=abc"],
                &[],
                "Cannot parse quota configuration value for producer_byte_rate: abc",
            ),
        ] {
            let told = altered(types, names, added, deleted).expect_err(message);
            assert!(told.starts_with(message), "{told}");
        }
    }

    #[test]
    fn entities_come_in_the_order_the_reference_was_seen_to_print() {
        let quotas = |entity: &[(QuotaEntityType, Option<&str>)]| Quotas {
            entity: entity
                .iter()
                .map(|(kind, name)| (*kind, name.map(str::to_owned)))
                .collect(),
            values: vec![
                ("producer_byte_rate".to_owned(), 10_485_760.0),
                ("consumer_byte_rate".to_owned(), 2048.0),
            ],
        };
        use QuotaEntityType::{ClientId, User};
        let text = lines(&sorted(vec![
            quotas(&[(User, None), (ClientId, None)]),
            quotas(&[(User, None), (ClientId, Some("app"))]),
        ]));
        assert_eq!(
            text,
            "Quota configs for the default user-principal, client-id 'app' are consumer_byte_rate=2048.0, \
             producer_byte_rate=1.048576E7\n\
             Quota configs for the default user-principal, the default client-id are consumer_byte_rate=2048.0, \
             producer_byte_rate=1.048576E7\n"
        );
    }
}
