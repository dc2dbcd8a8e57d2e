//! Names that a cluster has, for who is still writing a command line.
//!
//! Always: nothing is said and nothing is changed; what cannot be known is no names. How long it may take is the caller's
//! business: a cluster that does not answer is given up by giving up the caller's thread.

use std::io;

use ottla_client::admin::Admin;

use crate::connect;
use crate::context::{self, Context};
use crate::contexts::{self, Contexts};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    Topics,
    Groups,
    /// Ids of brokers.
    Brokers,
}

/// Where the cluster is, as the command line says it so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place<'a> {
    pub servers: Option<&'a str>,
    /// A file of client properties.
    pub command_config: Option<&'a str>,
    /// Counts only where no servers are named.
    pub context: Option<&'a str>,
    /// Of a tool that needs neither.
    pub default_servers: Option<&'a str>,
}

/// The contexts there are.
pub fn contexts() -> Vec<String> {
    let contexts = Contexts::load();
    contexts.map_or(Vec::new(), |contexts| contexts.named.into_keys().collect())
}

/// The names that the cluster has.
pub fn names(of: Names, place: Place<'_>) -> Vec<String> {
    let meant = match place.servers {
        Some(servers) => Some((servers.to_owned(), None)),
        None => contexts::meant(place.context)
            .map(|(servers, properties)| (servers, Some(properties)))
            .or_else(|| Some((place.default_servers?.to_owned(), None))),
    };
    let Some((servers, properties)) = meant else {
        return Vec::new();
    };
    let command_config = place.command_config.map(str::to_owned).or(properties);
    ask_at(of, &servers, command_config)
}

fn ask_at(of: Names, servers: &str, command_config: Option<String>) -> Vec<String> {
    let mut silent = Context {
        out: Box::new(io::sink()),
        err: Box::new(io::sink()),
        ..Context::of_process("ottla")
    };
    let command_config: Vec<String> = command_config.into_iter().collect();
    let overrides = [("bootstrap.servers", servers)];
    let Ok(settings) = connect::settings(&command_config, &overrides, &mut silent) else {
        return Vec::new();
    };
    let found = context::block_on(async {
        let admin = Admin::connect(settings).await.ok()?;
        ask(of, &admin).await
    });
    found.ok().flatten().unwrap_or_default()
}

async fn ask(of: Names, admin: &Admin) -> Option<Vec<String>> {
    Some(match of {
        Names::Topics => {
            let topics = admin.list_topics().await.ok()?;
            topics.into_iter().map(|topic| topic.name).collect()
        }
        Names::Groups => {
            let (groups, _) = admin.list_groups(&[], &[]).await.ok()?;
            groups.into_iter().map(|group| group.id).collect()
        }
        Names::Brokers => {
            let metadata = admin.cluster().metadata();
            let ids = metadata.brokers().map(|broker| broker.id.0.to_string());
            ids.collect()
        }
    })
}
