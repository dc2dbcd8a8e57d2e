//! DeleteTopics, by name or by id.

use std::collections::BTreeMap;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::delete_topics::request::DeleteTopicState;
use ottla_protocol::messages::delete_topics::response::DeletableTopicResult;
use ottla_protocol::messages::metadata::{MetadataRecord, RemoveTopicRecord};
use ottla_protocol::wire::{StrBytes, Uuid};

use super::Controller;
use super::commands::{ApiError, Response};
use super::image::TopicImage;

type Asked<'a> = (Option<&'a str>, Uuid);

impl Controller {
    pub(super) fn delete_topics(
        &self,
        topics: &[DeleteTopicState],
    ) -> (Vec<MetadataRecord>, Response) {
        let mut counts: BTreeMap<Asked<'_>, usize> = BTreeMap::new();
        for topic in topics {
            *counts.entry(asked(topic)).or_default() += 1;
        }
        let mut removed: Vec<Uuid> = Vec::new();
        let mut results = Vec::new();
        for topic in topics {
            let duplicates = match counts.get_mut(&asked(topic)) {
                // One answer for all of them.
                None | Some(0) => continue,
                Some(count) => std::mem::take(count) > 1,
            };
            match self.find_deletable(topic, duplicates) {
                Ok(found) => {
                    // A topic asked for by name and by id goes once.
                    if !removed.contains(&found.id()) {
                        removed.push(found.id());
                    }
                    results.push(result(Some(found.name().into()), found.id(), None));
                }
                Err(error) => {
                    results.push(result(topic.name.clone(), topic.topic_id, Some(&error)));
                }
            }
        }
        let records = removed.into_iter().map(|topic_id| {
            MetadataRecord::RemoveTopic(RemoveTopicRecord {
                topic_id,
                ..Default::default()
            })
        });
        (records.collect(), Response::DeleteTopics(results))
    }

    fn find_deletable(
        &self,
        topic: &DeleteTopicState,
        duplicates: bool,
    ) -> Result<&TopicImage, ApiError> {
        let refuse = |message: &str| ApiError::new(ErrorCode::InvalidRequest, message);
        let topics = self.image.topics();
        match (&topic.name, topic.topic_id.is_zero()) {
            (None, true) => Err(refuse("Neither topic name nor id were specified.")),
            (Some(_), false) => Err(refuse("You may not specify both topic name and topic id.")),
            (Some(_), true) if duplicates => Err(refuse("Duplicate topic name.")),
            (None, false) if duplicates => Err(refuse("Duplicate topic id.")),
            (Some(name), true) => topics
                .by_name(name)
                .map(AsRef::as_ref)
                .ok_or_else(|| ErrorCode::UnknownTopicOrPartition.into()),
            (None, false) => topics
                .by_id(topic.topic_id)
                .map(AsRef::as_ref)
                .ok_or_else(|| ErrorCode::UnknownTopicId.into()),
        }
    }
}

fn asked(topic: &DeleteTopicState) -> Asked<'_> {
    (topic.name.as_deref(), topic.topic_id)
}

fn result(
    name: Option<StrBytes>,
    topic_id: Uuid,
    error: Option<&ApiError>,
) -> DeletableTopicResult {
    DeletableTopicResult {
        name,
        topic_id,
        error_code: error.map_or(0, |error| error.code.code()),
        error_message: error.and_then(ApiError::text),
        ..Default::default()
    }
}
