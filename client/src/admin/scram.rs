//! SCRAM credentials of users: describe, change (KIP-554).
//!
//! Always: passwords do not leave this process; brokers get what is derived from them.

use std::fmt;

use bytes::Bytes;
use ottla_protocol::messages::{
    AlterUserScramCredentialsRequest, DescribeUserScramCredentialsRequest,
    api::{
        alter_user_scram_credentials::request::{
            ScramCredentialDeletion, ScramCredentialUpsertion,
        },
        describe_user_scram_credentials::request::UserName,
    },
};
use pbkdf2::pbkdf2_hmac;
use sha2::{Sha256, Sha512};

use crate::error::{ApiError, ClientError, wire_text};

use super::{Admin, Outcomes, in_order, misdirected};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ScramMechanism {
    Sha256,
    Sha512,
}

impl ScramMechanism {
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];
    /// Brokers take no credentials with fewer.
    pub const ITERATIONS_MIN: i32 = 4096;

    /// As the protocol and SASL name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    fn on_wire(self) -> i8 {
        match self {
            Self::Sha256 => 1,
            Self::Sha512 => 2,
        }
    }

    fn of_wire(number: i8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|mechanism| mechanism.on_wire() == number)
    }

    /// `Hi(password, salt, iterations)` of RFC 5802.
    fn salted(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        match self {
            Self::Sha256 => {
                let mut salted = vec![0; 32];
                pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut salted);
                salted
            }
            Self::Sha512 => {
                let mut salted = vec![0; 64];
                pbkdf2_hmac::<Sha512>(password, salt, iterations, &mut salted);
                salted
            }
        }
    }
}

/// A credential as brokers tell of it. A mechanism that this build does not know is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScramCredential {
    pub mechanism: ScramMechanism,
    pub iterations: i32,
}

/// A change of a user's credential of one mechanism.
#[derive(Clone, PartialEq, Eq)]
pub enum ScramChange {
    Set {
        mechanism: ScramMechanism,
        iterations: i32,
        password: String,
    },
    Delete(ScramMechanism),
}

impl fmt::Debug for ScramChange {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set { mechanism, .. } => write!(f, "Set({mechanism:?})"),
            Self::Delete(mechanism) => write!(f, "Delete({mechanism:?})"),
        }
    }
}

const SALT_BYTES: usize = 24;

impl Admin {
    /// The credentials of these users, or of all that have some.
    pub async fn describe_scram_credentials(
        &self,
        users: Option<&[String]>,
    ) -> Result<Outcomes<String, Vec<ScramCredential>>, ClientError> {
        let name = |user: &String| {
            Ok(UserName {
                name: wire_text("the user", user)?,
                ..Default::default()
            })
        };
        let named = users.map(|users| users.iter().map(name).collect::<Result<_, ClientError>>());
        let request = DescribeUserScramCredentialsRequest {
            users: named.transpose()?,
            ..Default::default()
        };
        let response = self.ask_any(&request).await?;
        ApiError::check(response.error_code, response.error_message.as_deref())?;
        let answers = response.results.iter().map(|result| {
            let outcome = ApiError::check(result.error_code, result.error_message.as_deref());
            let infos = result.credential_infos.iter();
            let credentials = infos.filter_map(|info| {
                Some(ScramCredential {
                    mechanism: ScramMechanism::of_wire(info.mechanism)?,
                    iterations: info.iterations,
                })
            });
            (
                result.user.to_string(),
                outcome.map(|()| credentials.collect()),
            )
        });
        let answers: Outcomes<String, Vec<ScramCredential>> = answers.collect();
        Ok(match users {
            Some(users) => in_order(users.iter().cloned(), answers),
            None => answers,
        })
    }

    /// Changes credentials of one user.
    pub async fn alter_scram_credentials(
        &self,
        user: &str,
        changes: &[ScramChange],
    ) -> Result<Result<(), ApiError>, ClientError> {
        let name = wire_text("the user", user)?;
        let (mut deletions, mut upsertions) = (Vec::new(), Vec::new());
        for change in changes {
            match change {
                ScramChange::Delete(mechanism) => deletions.push(ScramCredentialDeletion {
                    name: name.clone(),
                    mechanism: mechanism.on_wire(),
                    ..Default::default()
                }),
                ScramChange::Set {
                    mechanism,
                    iterations,
                    password,
                } => {
                    let salt: [u8; SALT_BYTES] = rand::random();
                    // How many there may be is up to the broker.
                    let count = iterations.max(&1).unsigned_abs();
                    let salted = mechanism.salted(password.as_bytes(), &salt, count);
                    upsertions.push(ScramCredentialUpsertion {
                        name: name.clone(),
                        mechanism: mechanism.on_wire(),
                        iterations: *iterations,
                        salt: Bytes::copy_from_slice(&salt),
                        salted_password: salted.into(),
                        ..Default::default()
                    });
                }
            }
        }
        let request = AlterUserScramCredentialsRequest {
            deletions,
            upsertions,
            ..Default::default()
        };
        let response = self
            .cluster
            .call(&self.anyone, &request, self.call(), |response| {
                misdirected(response.results.iter().map(|result| result.error_code))
            })
            .await?;
        // A user may be answered once for each change; the first error is the one to tell.
        let mut outcomes = response
            .results
            .iter()
            .map(|result| ApiError::check(result.error_code, result.error_message.as_deref()));
        Ok(outcomes.find(Result::is_err).unwrap_or(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With the password and the salt of RFC 7677's example, against what Python's hashlib makes of them.
    #[test]
    fn a_salted_password_is_what_others_compute() {
        let salt = b"[m\x99h\x9d\x125\x8e\xec\xa0K\x14\x126\xfa\x81";
        for (mechanism, expected) in [
            (
                ScramMechanism::Sha256,
                "c4a49510323ab4f952cac1fa99441939e78ea74d6be81ddf7096e87513dc615d",
            ),
            (
                ScramMechanism::Sha512,
                "f16efe1be67f1d09502ebd5ed9262fddffba5a377ab4f0b687e5ed5ba0f50686\
                 b8a4ae166476da8ab3b951d2fa9238b63998f45461bc33a464814949cec9631d",
            ),
        ] {
            let salted = mechanism.salted(b"pencil", salt, 4096);
            let hex: String = salted.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, expected, "{}", mechanism.name());
        }
    }

    #[test]
    fn a_change_does_not_show_its_password() {
        let change = ScramChange::Set {
            mechanism: ScramMechanism::Sha512,
            iterations: 4096,
            password: "secret".to_owned(),
        };
        assert_eq!(format!("{change:?}"), "Set(Sha512)");
    }
}
