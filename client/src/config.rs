//! From Kafka's configuration keys to the settings of the layers below.
//!
//! Always: a wrong value is refused with its key, an unknown key is a warning, and a key that asks for something this
//! client does not do yet (TLS, SASL) is refused rather than ignored. The keys themselves are `ottla_config`'s.

use std::{sync::Arc, time::Duration};

use ottla_config::{ConfigError, def::Table, resolve::Settings};

use crate::{
    cluster::{Backoff, ClusterSettings, EndpointType},
    conn::{ConnSettings, Endpoint, Plain, RESPONSE_BYTES_MAX, Transport},
    error::TEXT_BYTES_MAX,
};

/// What a client is for: it decides which keys there are and what is assumed where none is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    Admin,
    Producer,
    Consumer,
}

/// How long a peer may take to connect and shake hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// `socket.connection.setup.timeout.ms` (10 s): for what runs unattended.
    Configured,
    /// 1.5 s unless that key is given: somebody is waiting at a prompt, and is to know within 2 s what is wrong.
    Prompt,
}

const PROMPT_SETUP_TIMEOUT: Duration = Duration::from_millis(1500);

/// At a prompt a broker that the cluster names and that can't be reached is tried again for so long.
const PROMPT_UNREACHABLE_AFTER: Duration = Duration::from_secs(1);

/// The same where a producer can do nothing but go on trying; its attempts are further apart.
const PROMPT_MISADVERTISED_AFTER: Duration = Duration::from_millis(500);

impl ClientKind {
    fn table(self) -> &'static Table {
        match self {
            Self::Admin => &ottla_config::admin::TABLE,
            Self::Producer => &ottla_config::producer::TABLE,
            Self::Consumer => &ottla_config::consumer::TABLE,
        }
    }

    /// What brokers log where the user names nothing.
    fn client_id(self) -> &'static str {
        match self {
            Self::Admin => "adminclient-1",
            Self::Producer => "producer-1",
            Self::Consumer => "consumer-1",
        }
    }

    /// Checks given keys, the later of two holding, and warns of unknown ones.
    pub fn settings<K: AsRef<str>, V: AsRef<str>>(
        self,
        given: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Settings, ConfigError> {
        let settings = Settings::resolve(self.table(), given)?;
        for key in settings.unknown() {
            tracing::warn!(key, "unknown configuration key");
        }
        Ok(settings)
    }

    /// How to find and talk to the cluster.
    pub fn cluster_settings(
        self,
        settings: &Settings,
        patience: Patience,
    ) -> Result<ClusterSettings, ConfigError> {
        let ms = |key: &str| settings.duration(key).unwrap_or(Duration::MAX);
        let setup_timeout = match patience {
            Patience::Prompt if !settings.is_given("socket.connection.setup.timeout.ms") => {
                PROMPT_SETUP_TIMEOUT
            }
            _ => ms("socket.connection.setup.timeout.ms"),
        };
        let (endpoint_type, bootstrap) = self.bootstrap(settings)?;
        let api_timeout = self.api_timeout(settings)?;
        Ok(ClusterSettings {
            bootstrap,
            endpoint_type,
            conn: ConnSettings {
                client_id: self.client_id_of(settings)?.into(),
                setup_timeout,
                response_bytes_max: self.response_bytes_max(settings),
                transport: transport(settings)?,
            },
            reconnect_backoff: Backoff {
                initial: ms("reconnect.backoff.ms"),
                max: ms("reconnect.backoff.max.ms"),
            },
            retry_backoff: Backoff {
                initial: ms("retry.backoff.ms"),
                max: ms("retry.backoff.max.ms"),
            },
            retries: match self {
                // The consumer has no such key: it tries for as long as its deadline allows.
                Self::Consumer => u32::MAX,
                Self::Admin | Self::Producer => {
                    u32::try_from(settings.number("retries")).unwrap_or(u32::MAX)
                }
            },
            connect_within: Duration::ZERO,
            unreachable_after: match (self, patience) {
                (Self::Admin, Patience::Prompt) => PROMPT_UNREACHABLE_AFTER,
                _ => Duration::MAX,
            },
            misadvertised_after: match (self, patience) {
                (Self::Producer, Patience::Prompt) => PROMPT_MISADVERTISED_AFTER,
                _ => Duration::MAX,
            },
            on_misadvertised: None,
            described_within: match patience {
                Patience::Prompt => setup_timeout,
                Patience::Configured => Duration::MAX,
            },
            request_timeout: ms("request.timeout.ms"),
            api_timeout,
            metadata_max_age: ms("metadata.max.age.ms"),
            allow_auto_create_topics: match self {
                Self::Admin => false,
                Self::Producer => true,
                Self::Consumer => settings.boolean("allow.auto.create.topics"),
            },
            looks_at_all_topics: false,
        })
    }

    /// How long a call may take. One of an admin client takes a request at least, and may not be told otherwise.
    fn api_timeout(self, settings: &Settings) -> Result<Duration, ConfigError> {
        let ms = |key: &str| settings.duration(key).unwrap_or(Duration::MAX);
        let (api, request) = ("default.api.timeout.ms", "request.timeout.ms");
        match self {
            Self::Producer => Ok(ms("max.block.ms")),
            Self::Consumer => Ok(ms(api)),
            Self::Admin if settings.is_given(api) && ms(api) < ms(request) => {
                Err(ConfigError::Conflict(format!(
                    "The specified value of {api} must be no smaller than the value of {request}."
                )))
            }
            Self::Admin => Ok(ms(api).max(ms(request))),
        }
    }

    /// Brokers, or for admin clients controllers (KIP-919), but not both.
    fn bootstrap(self, settings: &Settings) -> Result<(EndpointType, Vec<Endpoint>), ConfigError> {
        let controllers = match self {
            Self::Admin => endpoints(settings, CONTROLLERS)?,
            Self::Producer | Self::Consumer => Vec::new(),
        };
        let brokers = endpoints(settings, SERVERS)?;
        match (brokers.is_empty(), controllers.is_empty()) {
            (false, true) => Ok((EndpointType::Broker, brokers)),
            (true, false) => Ok((EndpointType::Controller, controllers)),
            (true, true) => Err(invalid(
                SERVERS,
                &settings.list(SERVERS).join(","),
                "at least one host:port is needed",
            )),
            (false, false) => Err(invalid(
                CONTROLLERS,
                &settings.list(CONTROLLERS).join(","),
                "it cannot stand beside bootstrap.servers",
            )),
        }
    }

    fn client_id_of(self, settings: &Settings) -> Result<&str, ConfigError> {
        match settings.opt_text("client.id").unwrap_or_default() {
            "" => Ok(self.client_id()),
            id if id.len() > TEXT_BYTES_MAX => Err(invalid(
                "client.id",
                "…",
                &format!("it has {} bytes, at most {TEXT_BYTES_MAX} fit", id.len()),
            )),
            id => Ok(id),
        }
    }

    /// A consumer may ask for more than our own bound; some room is for what stands around the records.
    fn response_bytes_max(self, settings: &Settings) -> usize {
        match self {
            Self::Consumer => {
                let fetch = settings.size("fetch.max.bytes").unwrap_or(0);
                fetch
                    .saturating_mul(2)
                    .clamp(RESPONSE_BYTES_MAX, i32::MAX as usize)
            }
            Self::Admin | Self::Producer => RESPONSE_BYTES_MAX,
        }
    }
}

const SERVERS: &str = "bootstrap.servers";
const CONTROLLERS: &str = "bootstrap.controllers";

fn endpoints(settings: &Settings, key: &str) -> Result<Vec<Endpoint>, ConfigError> {
    let given = settings.list(key);
    let given = given.iter().filter(|item| !item.trim().is_empty());
    let endpoint =
        |item: &String| Endpoint::parse(item).map_err(|bad| invalid(key, item, bad.reason));
    given.map(endpoint).collect()
}

fn transport(settings: &Settings) -> Result<Arc<dyn Transport>, ConfigError> {
    let protocol = settings.text("security.protocol");
    if protocol.eq_ignore_ascii_case("PLAINTEXT") {
        return Ok(Arc::new(Plain));
    }
    Err(invalid(
        "security.protocol",
        protocol,
        "only PLAINTEXT is supported by this version",
    ))
}

pub(crate) fn invalid(key: &str, value: &str, reason: &str) -> ConfigError {
    ConfigError::Invalid {
        key: key.to_owned(),
        value: value.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(kind: ClientKind, given: &[(&str, &str)]) -> Result<ClusterSettings, ConfigError> {
        let settings = kind.settings(given.iter().copied())?;
        kind.cluster_settings(&settings, Patience::Prompt)
    }

    #[test]
    fn keys_of_kafka_become_settings() {
        let given = [
            ("bootstrap.servers", "a:1, b:2"),
            ("client.id", "me"),
            ("request.timeout.ms", "1234"),
            ("default.api.timeout.ms", "5678"),
            ("retry.backoff.ms", "7"),
            ("retries", "3"),
        ];
        let settings = cluster(ClientKind::Admin, &given).unwrap();
        assert_eq!(
            settings.bootstrap,
            [Endpoint::new("a", 1), Endpoint::new("b", 2)]
        );
        assert_eq!(settings.conn.client_id, "me");
        assert_eq!(settings.request_timeout.as_millis(), 1234);
        assert_eq!(settings.api_timeout.as_millis(), 5678);
        assert_eq!(settings.retry_backoff.initial.as_millis(), 7);
        assert_eq!(settings.retries, 3);
    }

    #[test]
    fn a_cluster_is_found_through_brokers_or_through_controllers() {
        let settings = cluster(ClientKind::Admin, &[("bootstrap.controllers", "a:1,b:2")]).unwrap();
        assert_eq!(settings.endpoint_type, EndpointType::Controller);
        assert_eq!(settings.bootstrap.len(), 2);
        let given = [("bootstrap.controllers", ""), ("bootstrap.servers", "a:1")];
        let settings = cluster(ClientKind::Admin, &given).unwrap();
        assert_eq!(settings.endpoint_type, EndpointType::Broker);
        let both = [
            ("bootstrap.controllers", "a:1"),
            ("bootstrap.servers", "a:1"),
        ];
        let error = cluster(ClientKind::Admin, &both).unwrap_err().to_string();
        assert!(error.contains("beside bootstrap.servers"), "{error}");
    }

    #[test]
    fn at_a_prompt_set_up_is_short_unless_the_user_says_else() {
        let plain = cluster(ClientKind::Producer, &[("bootstrap.servers", "a:1")]).unwrap();
        assert_eq!(plain.conn.setup_timeout.as_millis(), 1500);
        let given = [
            ("bootstrap.servers", "a:1"),
            ("socket.connection.setup.timeout.ms", "9000"),
        ];
        assert_eq!(
            cluster(ClientKind::Consumer, &given)
                .unwrap()
                .conn
                .setup_timeout
                .as_secs(),
            9
        );
    }

    #[test]
    fn a_call_of_an_admin_client_takes_a_request_at_least() {
        let servers = ("bootstrap.servers", "a:1");
        let long = [servers, ("request.timeout.ms", "90000")];
        let settings = cluster(ClientKind::Admin, &long).unwrap();
        assert_eq!(settings.api_timeout.as_secs(), 90);
        let short = [servers, ("default.api.timeout.ms", "1000")];
        let error = cluster(ClientKind::Admin, &short).unwrap_err().to_string();
        assert!(
            error.contains("no smaller than the value of request.timeout.ms"),
            "{error}"
        );
        assert!(cluster(ClientKind::Consumer, &short).is_ok());
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_key() {
        let cases: [(&[(&str, &str)], &str); 7] = [
            (&[("bootstrap.servers", "localhost")], "bootstrap.servers"),
            (&[("bootstrap.servers", " , ")], "bootstrap.servers"),
            (&[], "bootstrap.servers"),
            (
                &[("bootstrap.servers", "a:1"), ("security.protocol", "SSL")],
                "security.protocol",
            ),
            (
                &[
                    ("bootstrap.servers", "a:1"),
                    ("security.protocol", "SASL_PLAINTEXT"),
                ],
                "security.protocol",
            ),
            (
                &[
                    ("bootstrap.servers", "a:1"),
                    ("security.protocol", "nonsense"),
                ],
                "security.protocol",
            ),
            (
                &[("bootstrap.servers", "a:1"), ("request.timeout.ms", "soon")],
                "request.timeout.ms",
            ),
        ];
        for (given, key) in cases {
            let error = cluster(ClientKind::Admin, given).unwrap_err().to_string();
            assert!(error.contains(key), "{given:?}: {error}");
        }
    }

    #[test]
    fn unknown_keys_are_no_error() {
        let given = [("bootstrap.servers", "a:1"), ("no.such.key", "x")];
        let settings = ClientKind::Admin.settings(given).unwrap();
        assert_eq!(settings.unknown(), ["no.such.key"]);
    }
}
