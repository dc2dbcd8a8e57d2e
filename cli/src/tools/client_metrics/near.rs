//! Names that are nearly right: of metrics, of selectors and of subscriptions.

use ottla_client::admin::{Admin, ResourceType};

use super::Args;
use crate::meant::meant;
use crate::nearest;
use crate::stop::Failure;

/// By what clients are chosen.
const SELECTORS: [&str; 6] = [
    "client_instance_id",
    "client_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];

/// What the names of the metrics begin with that Kafka's clients have.
const FAMILIES: [&str; 3] = [
    "org.apache.kafka.consumer.",
    "org.apache.kafka.producer.",
    "org.apache.kafka.stream.",
];

/// Of a subscription that was refused: the selectors that may have been meant.
pub(super) fn with_nearest_match(failure: Failure, args: &Args) -> Failure {
    let pairs = args.r#match.iter().flat_map(|list| list.split(','));
    let unknown = pairs
        .filter_map(|pair| Some(pair.split_once('=')?.0.trim()))
        .filter(|key| !SELECTORS.contains(key));
    unknown.fold(failure, |failure, key| match meant(key, SELECTORS) {
        Some(meant) => failure.hint(format!("--match {key}: did you mean {meant}?")),
        None => failure,
    })
}

/// Prefixes that no client's metrics have, and nearly one that they have. Clients of others may have others.
pub(super) fn odd_metrics(args: &Args) -> impl Iterator<Item = String> {
    let prefixes = args.metrics.iter().flat_map(|list| list.split(','));
    prefixes.filter_map(|prefix| {
        let prefix = prefix.trim();
        let fits = |family: &str| family.starts_with(prefix) || prefix.starts_with(family);
        let (at, _) = prefix.char_indices().filter(|(_, c)| *c == '.').nth(3)?;
        let family = prefix.get(..=at)?;
        match FAMILIES.into_iter().any(fits) {
            true => None,
            false => meant(family, FAMILIES)
                .map(|meant| format!("--metrics {prefix}: did you mean {meant}?")),
        }
    })
}

/// Where there is no subscription of this name, the one that may have been meant.
pub(super) async fn name(name: &str, admin: &Admin) -> Option<String> {
    let listed = admin.list_config_resources(&[ResourceType::ClientMetrics]);
    let listed = listed.await.ok()?;
    let mut names = listed.iter().map(|resource| resource.name.as_str());
    match names.clone().any(|there| there == name) {
        true => None,
        false => nearest::sentence(name, &mut names),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jopt;

    #[test]
    fn names_that_are_nearly_right_are_answered_with_the_right_ones() {
        let args = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            jopt::parse::<Args>(&words).expect("options")
        };
        let refused = |line: &str| with_nearest_match(Failure::new("no"), &args(line)).hints;
        assert_eq!(
            refused("--match client_ip=1,client_software=librdkafka,client_id=x"),
            [
                "--match client_ip: did you mean client_id?",
                "--match client_software: did you mean client_software_name?",
            ]
        );
        let odd = |line: &str| odd_metrics(&args(line)).collect::<Vec<_>>();
        assert_eq!(
            odd("--metrics org.apache.kafka.prodcuer.connection. --metrics org.apache.kafka."),
            [
                "--metrics org.apache.kafka.prodcuer.connection.: did you mean org.apache.kafka.producer.?"
            ]
        );
        assert_eq!(odd("--metrics org.apache.kafka.producer.,mine."), [""; 0]);
    }
}
