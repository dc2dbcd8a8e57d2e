//! What can go wrong between a caller and the cluster, beyond a single connection.
//!
//! Errors are cloneable because one cause often ends many requests.

use std::time::Duration;

use ottla_protocol::{errors::ErrorCode, types::BrokerId};

use crate::conn::{EndpointError, RequestError, Seconds};

/// A refusal by the broker: its code, and its own words where it has any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub code: ErrorCode,
    pub message: Option<String>,
}

impl ApiError {
    /// The error in a response, or none for success.
    pub fn check(code: i16, message: Option<&str>) -> Result<(), Self> {
        match ErrorCode::from_code(code) {
            ErrorCode::None => Ok(()),
            code => Err(Self {
                code,
                message: message.filter(|text| !text.is_empty()).map(str::to_owned),
            }),
        }
    }

    pub fn of_code(code: ErrorCode) -> Self {
        Self {
            code,
            message: None,
        }
    }

    /// The broker's words, else the protocol's.
    pub fn text(&self) -> &str {
        self.message.as_deref().unwrap_or_else(|| self.code.text())
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // It stands within sentences, which end elsewhere.
        let text = self.text();
        let text = text.strip_suffix('.').unwrap_or(text);
        write!(f, "{text} ({})", self.code.name())
    }
}

impl std::error::Error for ApiError {}

impl From<ErrorCode> for ApiError {
    fn from(code: ErrorCode) -> Self {
        Self::of_code(code)
    }
}

/// Why a call on the cluster failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// No bootstrap server could be used; one fault for each address.
    #[error("{}", bootstrap_text(.0))]
    Bootstrap(Vec<EndpointError>),
    /// A broker that the cluster named can't be connected to.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The broker answered with an error for the request as a whole.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The caller's time was up; `last` says what had failed until then.
    #[error("{what} was not done within {}{}", Seconds(*.after), because(.last))]
    TimedOut {
        what: &'static str,
        after: Duration,
        last: Option<Box<ClientError>>,
    },
    #[error("the cluster has no broker {0}")]
    NoSuchBroker(BrokerId),
    /// Something the caller passed can't be put on the wire.
    #[error("{what} is too long: {bytes} bytes, at most {max} are allowed")]
    TooLong {
        what: &'static str,
        bytes: usize,
        max: usize,
    },
    /// The client this belongs to has been closed.
    #[error("the client is closed")]
    Closed,
}

impl ClientError {
    /// True where the same call may succeed later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Bootstrap(errors) => errors.iter().any(EndpointError::may_pass),
            Self::Endpoint(error) => error.may_pass(),
            Self::Request(error) => error.may_pass(),
            Self::Api(error) => error.code.is_retriable(),
            Self::NoSuchBroker(_) => true,
            Self::TimedOut { .. } | Self::TooLong { .. } | Self::Closed => false,
        }
    }

    /// A time-out that names what had failed before; any other error stays as it is.
    pub(crate) fn because_of(self, cause: Self) -> Self {
        match (self, cause) {
            (
                Self::TimedOut {
                    what,
                    after,
                    last: None,
                },
                Self::TimedOut { last, .. },
            ) => Self::TimedOut { what, after, last },
            (
                Self::TimedOut {
                    what,
                    after,
                    last: None,
                },
                cause,
            ) => Self::TimedOut {
                what,
                after,
                last: Some(Box::new(cause)),
            },
            (other, _) => other,
        }
    }

    /// The broker's error code, where one is the cause.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Api(error) => Some(error.code),
            Self::TimedOut {
                last: Some(last), ..
            } => last.code(),
            _ => None,
        }
    }
}

fn bootstrap_text(errors: &[EndpointError]) -> String {
    match errors {
        [] => "bootstrap.servers names no address".to_owned(),
        [only] => only.to_string(),
        several => {
            let list: Vec<String> = several.iter().map(|error| format!("\n  {error}")).collect();
            format!(
                "none of the bootstrap servers can be used:{}",
                list.concat()
            )
        }
    }
}

fn because(last: &Option<Box<ClientError>>) -> String {
    last.as_ref()
        .map_or_else(String::new, |error| format!(": {error}"))
}

/// Longest text in versions of the protocol with two-byte lengths, and of the reference in all versions.
pub(crate) const TEXT_BYTES_MAX: usize = 32767;

/// Checks a caller's text before it gets into a request.
pub(crate) fn wire_text(
    what: &'static str,
    text: &str,
) -> Result<ottla_protocol::wire::StrBytes, ClientError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(ClientError::TooLong {
            what,
            bytes: text.len(),
            max: TEXT_BYTES_MAX,
        });
    }
    Ok(text.into())
}
