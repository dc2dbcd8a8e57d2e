//! SCRAM credentials of a user: what `SCRAM-SHA-256=[iterations=N,password=P]` asks for, and the answers. Pure.

use ottla_client::ApiError;
use ottla_client::admin::{Outcomes, ScramChange, ScramCredential, ScramMechanism};
use ottla_protocol::errors::ErrorCode;

use super::plan::Plan;
use crate::connect;
use crate::stop::Failure;

/// The mechanism that a key names.
pub(super) fn mechanism(key: &str) -> Option<ScramMechanism> {
    ScramMechanism::ALL
        .into_iter()
        .find(|mechanism| mechanism.name() == key)
}

pub(super) fn alter(
    user: String,
    added: &[(String, String)],
    deleted: &[String],
) -> Result<Plan, Failure> {
    let deleted = deleted.iter().filter_map(|key| mechanism(key));
    let mut changes: Vec<ScramChange> = deleted.map(ScramChange::Delete).collect();
    for (key, value) in added {
        if let Some(mechanism) = mechanism(key) {
            changes.push(set(mechanism, value)?);
        }
    }
    Ok(Plan::AlterScram { user, changes })
}

fn set(mechanism: ScramMechanism, value: &str) -> Result<ScramChange, Failure> {
    // What the value has is not repeated: it is a password.
    let name = mechanism.name();
    let invalid = || {
        Failure::new(format!("Invalid credential property {name}"))
            .hint(format!("Write {name}=[iterations=8192,password=SECRET]."))
    };
    let (iterations, rest) = match value.strip_prefix("iterations=") {
        Some(rest) => {
            let (digits, rest) = rest.split_once(',').ok_or_else(invalid)?;
            let number = digits
                .parse()
                .map_err(|_| Failure::new(format!("For input string: \"{digits}\"")))?;
            (Some(number), rest)
        }
        None => (None, value),
    };
    let password = rest.strip_prefix("password=").ok_or_else(invalid)?;
    let iterations = iterations
        .filter(|number| *number != -1)
        .unwrap_or(ScramMechanism::ITERATIONS_MIN);
    if iterations < ScramMechanism::ITERATIONS_MIN {
        return Err(Failure::new(format!(
            "Iterations {iterations} is less than the minimum {} required for {name}",
            ScramMechanism::ITERATIONS_MIN
        )));
    }
    Ok(ScramChange::Set {
        mechanism,
        iterations,
        password: password.to_owned(),
    })
}

/// No broker is asked for a credential with an empty password, which none would take.
pub(super) fn check_passwords(changes: &[ScramChange]) -> Result<(), Failure> {
    let is_empty = |change: &ScramChange| matches!(change, ScramChange::Set { password, .. } if password.is_empty());
    match changes.iter().any(is_empty) {
        true => Err(Failure::new("Password must not be empty")),
        false => Ok(()),
    }
}

/// A line for each user who has credentials.
pub(super) fn lines(found: &Outcomes<String, Vec<ScramCredential>>) -> String {
    found
        .iter()
        .filter_map(|(user, outcome)| line(user, outcome.as_ref()))
        .collect()
}

fn line(user: &str, outcome: Result<&Vec<ScramCredential>, &ApiError>) -> Option<String> {
    match outcome {
        Ok(credentials) => {
            let credential = |it: &ScramCredential| {
                format!("{}=iterations={}", it.mechanism.name(), it.iterations)
            };
            let credentials: Vec<String> = credentials.iter().map(credential).collect();
            let credentials = credentials.join(", ");
            Some(format!(
                "SCRAM credential configs for user-principal '{user}' are {credentials}\n"
            ))
        }
        // There is no such user, or one without credentials.
        Err(error) if error.code == ErrorCode::ResourceNotFound => None,
        Err(error) => Some(format!(
            "Error retrieving SCRAM credential configs for user-principal '{user}': ExecutionException: {}\n",
            connect::exception(error)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(value: &str) -> Result<(i32, String), String> {
        match set(ScramMechanism::Sha256, value) {
            Ok(ScramChange::Set {
                iterations,
                password,
                ..
            }) => Ok((iterations, password)),
            Ok(other) => panic!("{other:?}"),
            Err(failure) => Err(failure.message),
        }
    }

    #[test]
    fn a_credential_has_a_password_and_perhaps_iterations() {
        assert_eq!(
            made("iterations=8192,password=a=b,c"),
            Ok((8192, "a=b,c".to_owned()))
        );
        assert_eq!(made("password=x"), Ok((4096, "x".to_owned())));
        assert_eq!(made("iterations=-1,password=x"), Ok((4096, "x".to_owned())));
        for (value, message) in [
            (
                "iterations=10,password=x",
                "Iterations 10 is less than the minimum 4096 required for SCRAM-SHA-256",
            ),
            (
                "iterations=8192",
                "Invalid credential property SCRAM-SHA-256",
            ),
            ("secret", "Invalid credential property SCRAM-SHA-256"),
            ("iterations=many,password=x", "For input string: \"many\""),
        ] {
            assert_eq!(made(value), Err(message.to_owned()));
        }
    }

    #[test]
    fn an_empty_password_is_refused() {
        let change = set(ScramMechanism::Sha512, "password=").expect("a change");
        assert!(check_passwords(&[change]).is_err());
        assert!(check_passwords(&[ScramChange::Delete(ScramMechanism::Sha256)]).is_ok());
    }
}
