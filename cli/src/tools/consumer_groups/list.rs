//! The groups of consumers there are.

use std::io::Write;

use ottla_client::admin::{Admin, GroupListing};

use super::ended::{self, Ended, Problem, Wrapped};
use super::json;
use super::plan::{Groups, Listing};
use super::render;
use crate::connect;
use crate::context::Context;
use crate::java_order;
use crate::output::Format;
use crate::stop::Failure;
use crate::table::visible;

/// What the reference says where no broker can be asked for its groups.
pub(super) fn no_brokers(wrapped: Wrapped) -> String {
    wrapped.sentence(
        "org.apache.kafka.common.KafkaException",
        "Failed to find brokers to send ListGroups",
    )
}

pub(super) async fn list(
    listing: &Listing,
    format: Format,
    admin: &Admin,
    cx: &mut Context,
) -> Result<(), Ended> {
    if let Format::Data(form) = format {
        let found = find(&listing.states, &listing.types, Wrapped::Once, admin).await?;
        cx.out
            .write_all(json::listed(&found).text(form).as_bytes())?;
        Ok(())
    } else if listing.is_filtered() {
        let found = find(&listing.states, &listing.types, Wrapped::Once, admin).await?;
        Ok(cx.out.write_all(render::list(&found, listing).as_bytes())?)
    } else {
        for group in find(&[], &[], Wrapped::Twice, admin).await? {
            writeln!(cx.out, "{}", visible(&group.id))?;
        }
        Ok(())
    }
}

/// The ids that are meant, each once, in the order in which the reference works on them.
pub(super) async fn ids(groups: &Groups, admin: &Admin) -> Result<Vec<String>, Ended> {
    match groups {
        Groups::All => {
            let found = find(&[], &[], Wrapped::Twice, admin).await?;
            Ok(found.into_iter().map(|group| group.id).collect())
        }
        Groups::These(ids) => {
            let mut unique: Vec<String> = Vec::with_capacity(ids.len());
            for id in ids {
                if !unique.contains(id) {
                    unique.push(id.clone());
                }
            }
            java_order::sort(&mut unique, None, |id| id);
            Ok(unique)
        }
    }
}

async fn find(
    states: &[String],
    types: &[String],
    wrapped: Wrapped,
    admin: &Admin,
) -> Result<Vec<GroupListing>, Problem> {
    let (found, errors) = admin
        .list_groups(states, types)
        .await
        .map_err(|error| Problem {
            sentence: no_brokers(wrapped),
            failure: connect::failure("listGroups", &error),
            code: error.code(),
        })?;
    if let Some((broker, error)) = errors.into_iter().next() {
        let text = format!("Error listing groups on broker {broker}: {error}");
        return Err(Problem {
            sentence: wrapped.sentence(&ended::class_of(&error), &text),
            failure: Failure::new(text),
            code: error.code(),
        });
    }
    let mut groups: Vec<GroupListing> = found.into_iter().filter(is_of_consumers).collect();
    java_order::sort(&mut groups, None, |group| &group.id);
    Ok(groups)
}

/// Coordinators keep other groups, too: of connectors, of share and streams applications.
fn is_of_consumers(group: &GroupListing) -> bool {
    match group
        .kind
        .as_deref()
        .map(str::to_ascii_lowercase)
        .as_deref()
    {
        Some("consumer") => true,
        Some("classic") | None => matches!(&*group.protocol_type, "" | "consumer"),
        Some(_) => false,
    }
}
