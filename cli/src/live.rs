//! Names that a cluster has, for who is still writing a command line.
//!
//! Always: nothing is said and nothing is changed; what cannot be known is no names. How long it may take is the caller's
//! business: a cluster that does not answer is given up by giving up the caller's thread.

use std::io;

use ottla_client::admin::Admin;

use crate::connect;
use crate::context::{self, Context};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    Topics,
    Groups,
    /// Ids of brokers.
    Brokers,
}

/// The names at `servers`, with the client properties of a file.
pub fn names(of: Names, servers: &str, command_config: Option<&str>) -> Vec<String> {
    let mut silent = Context {
        out: Box::new(io::sink()),
        err: Box::new(io::sink()),
        ..Context::of_process("ottla")
    };
    let command_config: Vec<String> = command_config.map(str::to_owned).into_iter().collect();
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
