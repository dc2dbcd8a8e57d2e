//! From options and properties to a connected client, and from the client's errors to what tools say.
//!
//! The reference keeps trying for a minute where no broker answers; these tools say at once what is wrong, in the same
//! words on standard output where scripts look, and with the cause on standard error.

use std::sync::{Arc, Mutex, PoisonError};

use ottla_client::admin::Admin;
use ottla_client::cluster::{ClusterSettings, OnMisadvertised};
use ottla_client::config::{ClientKind, Patience};
use ottla_client::conn::{Endpoint, EndpointError, EndpointFault, RequestError};
use ottla_client::{ApiError, ClientError};
use ottla_config::resolve::Settings;
use ottla_config::{ConfigError, Table, admin, broker, consumer, producer};
use ottla_protocol::errors::ErrorCode;

use crate::context::{self, Context};
use crate::meant::meant;
use crate::options;
use crate::stop::{Failure, Stop};

/// Why there is no connection.
#[derive(Debug)]
pub enum Unconnected {
    /// There is nothing to connect to: no address can be used. The reference ends before it does anything.
    NoAddress(Failure),
    /// No broker answers; in the reference the first call fails.
    NoBroker(Failure),
}

impl From<Unconnected> for Failure {
    fn from(unconnected: Unconnected) -> Self {
        match unconnected {
            Unconnected::NoAddress(failure) | Unconnected::NoBroker(failure) => failure,
        }
    }
}

/// The settings of an admin client: `--command-config`, and on top of it what the tool says.
pub fn settings(
    command_config: &[String],
    overrides: &[(&str, &str)],
    cx: &mut Context,
) -> Result<ClusterSettings, Stop> {
    let given = options::client_properties(command_config, overrides)?;
    let settings = ClientKind::Admin
        .settings(given)
        .map_err(|error| unusable(error.to_string()))?;
    for key in settings.unknown() {
        warn_of_unknown(key, cx);
    }
    let settings = cluster_settings(ClientKind::Admin, &settings, cx);
    Ok(settings.map_err(|error| unusable(error.to_string()))?)
}

/// How a tool finds its cluster: at once or not at all, unless the user gives it time with `--timeout`.
pub(crate) fn cluster_settings(
    kind: ClientKind,
    settings: &Settings,
    cx: &Context,
) -> Result<ClusterSettings, ConfigError> {
    let mut settings = kind.cluster_settings(settings, Patience::Prompt)?;
    if let Some(timeout) = cx.timeout {
        settings.conn.setup_timeout = timeout;
        settings.connect_within = timeout;
        settings.unreachable_after = settings.unreachable_after.max(timeout);
        settings.misadvertised_after = settings.misadvertised_after.max(timeout);
        settings.described_within = timeout;
    }
    settings.on_misadvertised = match kind {
        // Their calls and their records end with the reason.
        ClientKind::Admin | ClientKind::Producer => None,
        ClientKind::Consumer => Some(tells_once()),
    };
    Ok(settings)
}

/// Clients that live on try such an address for ever, as the reference's do; unlike there, a person is told, once for each.
/// It is met deep within a client, beside whatever the tool does: this goes to standard error on a way of its own.
pub(crate) fn tells_once() -> OnMisadvertised {
    let told: Mutex<Vec<Endpoint>> = Mutex::default();
    OnMisadvertised(Arc::new(move |error: &EndpointError| {
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < ADDRESSES_TOLD_MAX && !told.contains(&error.endpoint) {
            told.push(error.endpoint.clone());
            context::say_beside(&format!("{}; trying again.", capitalized(error)));
        }
    }))
}

/// A cluster cannot fill the screen.
const ADDRESSES_TOLD_MAX: usize = 10;

/// A file of properties often serves several clients: only what none of them knows is worth a word.
pub fn warn_of_unknown(key: &str, cx: &mut Context) {
    let clients: [&Table; 3] = [&admin::TABLE, &producer::TABLE, &consumer::TABLE];
    let is_known = |table: &Table| table.lookup(key).is_some();
    if clients.into_iter().any(is_known) || is_known(&broker::TABLE) {
        return;
    }
    let nearest = meant(
        key,
        clients.into_iter().flat_map(Table::iter).map(|def| def.key),
    );
    let hint = nearest.map(|known| format!(" Did you mean {known}?"));
    cx.warn(format!(
        "The configuration '{key}' is not known and has no effect.{}",
        hint.unwrap_or_default()
    ));
}

fn unusable(reason: String) -> Failure {
    Failure::new("Failed to create new KafkaAdminClient").hint(reason)
}

/// Finds the cluster. `call` is the reference's name for what the tool is about to ask.
pub async fn admin(settings: ClusterSettings, call: &'static str) -> Result<Admin, Unconnected> {
    Admin::connect(settings).await.map_err(|error| {
        if has_no_address(&error) {
            Unconnected::NoAddress(unusable(error.to_string()))
        } else {
            Unconnected::NoBroker(failure(call, &error))
        }
    })
}

/// Whether none of the names to begin with is known.
pub(crate) fn has_no_address(error: &ClientError) -> bool {
    match error {
        ClientError::Bootstrap(faults) => faults
            .iter()
            .all(|fault| matches!(fault.fault, EndpointFault::NameNotFound(_))),
        _ => false,
    }
}

/// Where a tool finds the cluster: `--bootstrap-server` or `--bootstrap-controller`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bootstrap<'a> {
    Servers(&'a str),
    Controllers(&'a str),
}

impl<'a> From<&'a str> for Bootstrap<'a> {
    fn from(servers: &'a str) -> Self {
        Self::Servers(servers)
    }
}

impl<'a> Bootstrap<'a> {
    /// At most one of the two is there; the tools have different words for both and for neither.
    pub fn of_options(servers: Option<&'a str>, controllers: Option<&'a str>) -> Option<Self> {
        let controllers = controllers.map(Self::Controllers);
        servers.map(Self::Servers).or(controllers)
    }

    /// What the option sets of the client's properties: a file's other way to the cluster is put aside.
    pub fn properties(self) -> [(&'static str, &'a str); 2] {
        let (servers, controllers) = match self {
            Self::Servers(servers) => (servers, ""),
            Self::Controllers(controllers) => ("", controllers),
        };
        [
            ("bootstrap.servers", servers),
            ("bootstrap.controllers", controllers),
        ]
    }
}

/// Connects to the cluster, or to its controllers, for what a tool asks of it. `call` is as in `admin`.
pub fn ask<'a, T>(
    command_config: &[String],
    bootstrap: impl Into<Bootstrap<'a>>,
    call: &'static str,
    cx: &mut Context,
    ask: impl AsyncFnOnce(&Admin) -> Result<T, Failure>,
) -> Result<T, Stop> {
    let settings = settings(command_config, &bootstrap.into().properties(), cx)?;
    let outcome = context::block_on(async {
        let admin = admin(settings, call).await?;
        ask(&admin).await
    })?;
    Ok(outcome?)
}

/// The exception that stands for an error in the reference.
pub fn class(code: ErrorCode) -> String {
    format!("org.apache.kafka.common.errors.{}", code.exception())
}

/// The exception as it describes itself.
pub fn exception(error: &ApiError) -> String {
    format!("{}: {}", class(error.code), error.text())
}

/// For `map_err`: a call of this name failed as a whole.
pub fn failed(call: &'static str) -> impl Fn(ClientError) -> Failure {
    move |error| failure(call, &error)
}

/// The same of a call that not every broker knows: one that does not keeps none of `things`.
pub(crate) fn unkept(call: &'static str, things: &'static str) -> impl Fn(ClientError) -> Failure {
    move |error| match &error {
        ClientError::Request(RequestError::Version {
            api,
            endpoint,
            theirs: None,
            ..
        }) => Failure::new(format!("The broker at {endpoint} keeps no {things}."))
            .hint(format!("It does not speak {api}.")),
        _ => failure(call, &error),
    }
}

/// The reference's sentence for the failure of a call, and ours below it.
pub fn failure(call: &str, error: &ClientError) -> Failure {
    match error {
        ClientError::Api(error) => refused(error.clone()),
        ClientError::Request(RequestError::Version { .. }) => Failure::new(capitalized(error)),
        ClientError::Endpoint(EndpointError {
            fault: EndpointFault::Lacks(api),
            ..
        }) => {
            let api = api_constant(api);
            Failure::new(format!("The node does not support {api}")).hint(capitalized(error))
        }
        ClientError::TimedOut {
            last: Some(last), ..
        } => match &**last {
            ClientError::Api(error) => refused(error.clone()),
            _ => unanswered(call, error),
        },
        _ => unanswered(call, error),
    }
}

fn unanswered(call: &str, error: &ClientError) -> Failure {
    Failure::new(format!(
        "Timed out waiting for a node assignment. Call: {call}"
    ))
    .hint(capitalized(error))
}

/// `DescribeCluster` as `DESCRIBE_CLUSTER`.
fn api_constant(api: &str) -> String {
    let mut constant = String::new();
    for letter in api.chars() {
        if letter.is_uppercase() && !constant.is_empty() {
            constant.push('_');
        }
        constant.extend(letter.to_uppercase());
    }
    constant
}

/// The broker said no.
pub fn refused(error: ApiError) -> Failure {
    Failure::new(error.text())
}

/// As a sentence begins; a host name stays as it is written.
pub fn capitalized(text: impl ToString) -> String {
    let text = text.to_string();
    let word = text.split_whitespace().next().unwrap_or_default();
    let port = word.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    if matches!(port, Some(Ok(_))) {
        return text;
    }
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_begin_large_and_host_names_stay_as_they_are() {
        assert_eq!(capitalized("no answer"), "No answer");
        assert_eq!(capitalized("topic: unknown"), "Topic: unknown");
        let told = "kafka-1:9092 did not take a connection";
        assert_eq!(capitalized(told), told);
        assert_eq!(capitalized(""), "");
    }
}
