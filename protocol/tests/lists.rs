//! The list of APIs and the schema text say the same about versions.

use ottla_protocol::apis::ApiKey;
use ottla_protocol::for_every_message;
use ottla_protocol::messages::{Message, response_header_version};

/// A message of the schema: its kind, name, key, versions and first flexible version.
type Row = (&'static str, &'static str, i16, i16, i16, Option<i16>);

fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    macro_rules! add {
        ($kind:ident, $message:ty) => {
            rows.push((
                stringify!($kind),
                <$message>::NAME,
                <$message>::API_KEY,
                <$message>::MIN_VERSION,
                <$message>::MAX_VERSION,
                <$message>::FLEXIBLE_FROM,
            ));
        };
    }
    for_every_message!(add);
    rows
}

#[test]
fn every_live_api_has_a_request_and_a_reply_of_its_versions() {
    let rows = rows();
    for api in ApiKey::ALL {
        for kind in ["request", "response"] {
            let found = rows.iter().find(|row| row.0 == kind && row.2 == api.key());
            let Some((_, name, _, min, max, flexible_from)) = found else {
                assert!(api.is_retired(), "{api} has no {kind}");
                continue;
            };
            let (known_min, _) = api.versions().expect("a live API");
            assert_eq!(
                (*min, *max),
                (known_min, api.unstable_version_max()),
                "{name}"
            );
            assert!(
                name.to_lowercase().starts_with(&api.name().to_lowercase()),
                "{name}"
            );
            for version in *min..=*max {
                let flexible = flexible_from.is_some_and(|from| version >= from);
                if kind == "request" {
                    assert_eq!(
                        api.request_header_version(version),
                        if flexible { 2 } else { 1 },
                        "{name}"
                    );
                } else {
                    let header = response_header_version(api.key(), flexible);
                    assert_eq!(
                        api.response_header_version(version),
                        header,
                        "{name} v{version}"
                    );
                }
            }
        }
    }
}
