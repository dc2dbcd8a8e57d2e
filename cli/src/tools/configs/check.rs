//! Whether the options go together, in the reference's order of checks.

use std::net::ToSocketAddrs as _;

use super::plan::{BROKER_LOGGERS, BROKERS, CLIENTS, ENTITY_TYPES, IPS, TOPICS, USERS};
use super::{Args, Given, Short};
use crate::jopt;
use crate::meant::meant;
use crate::options;
use crate::stop::{Failure, Stop};
use crate::topic_filter;

/// What the options name: types, and names in the same order. The empty name is the default entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entities {
    pub(super) types: Vec<String>,
    pub(super) names: Vec<String>,
}

pub(super) fn check(args: &Args) -> Result<Entities, Stop> {
    if args.describe == args.alter {
        let message = "Command must include exactly one action: --describe, --alter";
        return Err(Stop::Usage(message.to_owned()));
    }
    options::forbid(
        args.given("describe"),
        &[args.given("add-config"), args.given("delete-config")],
    )?;
    let entities = entities(args)?;
    check_types(&entities.types)?;
    let plain = Given("entity-type", !args.entity_type.is_empty()).1 || !args.entities.is_empty();
    if plain && args.shorts().iter().any(Short::is_given) {
        return refuse(
            "--entity-{type,name,default} should not be used in conjunction with specific entity flags",
        );
    }
    match (
        args.bootstrap_server.is_empty(),
        args.bootstrap_controller.is_empty(),
    ) {
        (true, true) => {
            let missing = "Either --bootstrap-server or --bootstrap-controller must be specified.";
            return Err(Failure::new(missing)
                .hint("For a broker on this machine: --bootstrap-server localhost:9092")
                .into());
        }
        (false, false) => {
            return refuse(
                "Only one of --bootstrap-server or --bootstrap-controller can be specified",
            );
        }
        _ => {}
    }
    check_names(&entities)?;
    if args.alter {
        check_alter(args, &entities)?
    } else {
        check_describe(args, &entities)?
    }
    Ok(entities)
}

fn refuse<T>(message: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::failed(message))
}

fn entities(args: &Args) -> Result<Entities, Stop> {
    let mut types: Vec<String> = args.entity_type.clone();
    let mut names: Vec<String> = args.entities.clone();
    for short in args.shorts() {
        if short.is_given() {
            types.push(short.entity_type.to_owned());
            names.push(
                jopt::one(short.option, short.names)?
                    .unwrap_or_default()
                    .to_owned(),
            );
        }
    }
    Ok(Entities { types, names })
}

fn check_types(types: &[String]) -> Result<(), Stop> {
    let repeated = types
        .iter()
        .enumerate()
        .find(|(index, kind)| types.iter().take(*index).any(|t| t == *kind));
    if let Some((_, kind)) = repeated {
        return refuse(format!("Duplicate entity type(s) specified: {kind}"));
    }
    if let Some(unknown) = types
        .iter()
        .find(|kind| !ENTITY_TYPES.contains(&kind.as_str()))
    {
        let all = ENTITY_TYPES.join(", ");
        let failure = Failure::new(format!(
            "Invalid entity type {unknown}, the entity type must be one of {all} with a --bootstrap-server or \
             --bootstrap-controller argument"
        ));
        let meant = meant(unknown, ENTITY_TYPES.iter().copied());
        return Err(match meant {
            Some(meant) => failure.hint(format!("Did you mean {meant}?")),
            None => failure,
        }
        .into());
    }
    if types.is_empty() {
        return Err(Failure::new("At least one entity type must be specified")
            .hint("For instance --topic NAME, or --entity-type topics for all of them.")
            .into());
    }
    if types.len() > 1 && types.iter().any(|kind| kind != USERS && kind != CLIENTS) {
        return refuse("Only 'users' and 'clients' entity types may be specified together");
    }
    Ok(())
}

fn check_names(entities: &Entities) -> Result<(), Stop> {
    let Some(kind) = entities.types.first() else {
        return Ok(());
    };
    let name = entities.names.first().filter(|_| kind == TOPICS);
    if let Some(reason) = name.and_then(|name| topic_filter::why_no_topic_name(name)) {
        return refuse(format!("Topic name is invalid: {reason}"));
    }
    let needs_id = kind == BROKERS || kind == BROKER_LOGGERS;
    let names = || entities.names.iter().filter(|name| !name.is_empty());
    let wrong = names().find(|name| name.parse::<i32>().is_err());
    let unknown = |name: &&String| (name.as_str(), 0).to_socket_addrs().is_err();
    if let Some(name) = names().find(|name| kind == IPS && unknown(name)) {
        return refuse(format!(
            "The entity name for {kind} must be a valid IP or resolvable host, but it is: {name}"
        ));
    }
    match wrong {
        Some(name) if needs_id => refuse(format!(
            "The entity name for {kind} must be a valid integer broker id, but it is: {name}"
        )),
        _ => Ok(()),
    }
}

fn check_describe(args: &Args, entities: &Entities) -> Result<(), Stop> {
    let types = entities.types.join(",");
    let has_name = entities.names.iter().any(|name| !name.is_empty());
    if args.entity_default > 0 && !has_defaults(entities) {
        return refuse(format!(
            "--entity-default must not be specified with --describe of {types}"
        ));
    }
    if entities.types.iter().any(|kind| kind == BROKER_LOGGERS) && !has_name {
        return refuse(format!(
            "An entity name must be specified with --describe of {types}"
        ));
    }
    Ok(())
}

fn check_alter(args: &Args, entities: &Entities) -> Result<(), Stop> {
    let has_name = entities.names.iter().any(|name| !name.is_empty());
    if has_defaults(entities) {
        if entities.names.is_empty() {
            return refuse(
                "An entity-name or default entity must be specified with --alter of users, clients, brokers or ips",
            );
        }
    } else if !has_name {
        return refuse(format!(
            "An entity name must be specified with --alter of {}",
            entities.types.join(",")
        ));
    }
    let (add, file) = (
        !args.add_config.is_empty(),
        !args.add_config_file.is_empty(),
    );
    if add && file {
        return refuse("Only one of --add-config or --add-config-file must be specified");
    }
    if !add && !file && args.delete_config.is_empty() {
        return refuse(
            "At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter",
        );
    }
    if entities.types.len() != entities.names.len() {
        return refuse("An entity name must be specified for every entity type");
    }
    Ok(())
}

/// Types that have a default entity.
fn has_defaults(entities: &Entities) -> bool {
    entities
        .types
        .iter()
        .any(|kind| [USERS, CLIENTS, BROKERS, IPS].contains(&kind.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(line: &str) -> Result<Entities, String> {
        let words: Vec<String> = format!("--bootstrap-server h:1 {line}")
            .split(' ')
            .map(str::to_owned)
            .collect();
        let mut args: Args = jopt::parse(&words).map_err(|error| error.to_string())?;
        args.entities = super::super::entities(&words).expect("as good as the rest");
        check(&args).map_err(|stop| match stop {
            Stop::Usage(message) => format!("usage: {message}"),
            Stop::Failed(failure) => failure.message,
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn entities_are_named_long_or_short() {
        for line in [
            "--describe --topic t",
            "--describe --entity-type topics --entity-name t",
        ] {
            let entities = checked(line).expect("good options");
            assert_eq!(
                (entities.types, entities.names),
                (vec!["topics".to_owned()], vec!["t".to_owned()])
            );
        }
        let defaults = checked("--describe --broker-defaults").expect("good options");
        assert_eq!(defaults.names, [""]);
        assert_eq!(
            checked("--describe --entity-type topics")
                .expect("good options")
                .names,
            [""; 0]
        );
    }

    #[test]
    fn names_and_defaults_belong_to_the_types_in_their_order() {
        for (line, names) in [
            (
                "--entity-type users --entity-default --entity-type clients --entity-name app",
                ["", "app"],
            ),
            (
                "--entity-type users --entity-name u --entity-type clients --entity-default",
                ["u", ""],
            ),
            (
                "--entity-type users --entity-default --entity-type clients --entity-default",
                ["", ""],
            ),
        ] {
            let entities = checked(&format!("--describe {line}")).expect("good options");
            assert_eq!(entities.names, names, "{line}");
        }
        // The short forms have an order of their own.
        let entities = checked("--describe --user u --client app").expect("good options");
        assert_eq!(entities.types, [CLIENTS, USERS]);
        assert_eq!(entities.names, ["app", "u"]);
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for (line, message) in [
            (
                "--topic ct",
                "usage: Command must include exactly one action: --describe, --alter",
            ),
            (
                "--describe --alter --topic ct",
                "usage: Command must include exactly one action: --describe, --alter",
            ),
            ("--describe", "At least one entity type must be specified"),
            (
                "--alter --topic ct",
                "At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter",
            ),
            (
                "--describe --entity-type topics --topic ct",
                "Duplicate entity type(s) specified: topics",
            ),
            (
                "--alter --entity-type topics --add-config a=b",
                "An entity name must be specified with --alter of topics",
            ),
            (
                "--describe --topic ct --add-config a=b",
                "usage: Option \"[describe]\" can't be used with option \"[add-config]\"",
            ),
            (
                "--describe --broker x",
                "The entity name for brokers must be a valid integer broker id, but it is: x",
            ),
            (
                "--describe --ip not.an.ip.address.",
                "The entity name for ips must be a valid IP or resolvable host, but it is: not.an.ip.address.",
            ),
            (
                "--describe --topic t --group g",
                "Only 'users' and 'clients' entity types may be specified together",
            ),
        ] {
            assert_eq!(checked(line), Err(message.to_owned()), "{line}");
        }
    }
}
