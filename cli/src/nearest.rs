//! The name of a topic or group that somebody probably meant, asked of the cluster where something has failed anyway.
//!
//! Always: nothing is said where the cluster does not answer this too; the failure stays the one that it was.

use ottla_client::admin::Admin;

use crate::meant::meant;

/// A sentence, where there is a topic with nearly this name.
pub(crate) async fn topic(name: &str, admin: &Admin) -> Option<String> {
    let topics = admin.list_topics().await.ok()?;
    sentence(name, topics.iter().map(|topic| topic.name.as_str()))
}

/// A sentence, where there is a group with nearly this id.
pub(crate) async fn group(id: &str, admin: &Admin) -> Option<String> {
    let (groups, _) = admin.list_groups(&[], &[]).await.ok()?;
    sentence(id, groups.iter().map(|group| group.id.as_str()))
}

pub(crate) fn sentence<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    meant(name, known).map(|known| format!("Did you mean '{known}'?"))
}
