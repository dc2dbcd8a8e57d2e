//! Questions the application asks; the position itself is only changed by polls and seeks.

use crate::admin::{Admin, CommittedOffset, ListedOffset, OffsetSpec, Outcomes, TopicPartition};

use super::{Consumer, ConsumerError};

/// Who a consumer is to its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMetadata {
    pub group_id: String,
    /// `group.instance.id`.
    pub instance_id: Option<String>,
    /// Of a classic group; with the consumer protocol the member's epoch.
    pub generation_id: i32,
    pub member_id: String,
}

impl GroupMetadata {
    /// Of somebody who is no member, and has chosen its partitions itself.
    pub fn of_no_member(group_id: impl Into<String>) -> Self {
        Self {
            group_id: group_id.into(),
            instance_id: None,
            generation_id: -1,
            member_id: String::new(),
        }
    }
}

impl Consumer {
    /// The membership that the partitions come from; none while the consumer is no member.
    pub fn group_metadata(&self) -> Option<GroupMetadata> {
        let identity = self.identity.as_ref()?;
        let group = self.settings.group.as_ref()?;
        Some(GroupMetadata {
            group_id: group.id.clone(),
            instance_id: group.instance_id.clone(),
            generation_id: identity.generation_or_epoch(),
            member_id: identity.member_id.to_string(),
        })
    }

    /// `group.id`.
    pub fn group_id(&self) -> Option<&str> {
        Some(self.settings.group.as_ref()?.id.as_str())
    }

    /// Whether `enable.auto.commit` is on.
    pub fn commits_by_itself(&self) -> bool {
        self.auto_commit.is_some()
    }

    /// Offset of the next record to be handed out; none while a poll still has to find it out.
    pub fn position(&self, at: &TopicPartition) -> Result<Option<i64>, ConsumerError> {
        match self.partitions.get(at) {
            Some(partition) => Ok(partition.position()),
            None => Err(ConsumerError::NotAssigned(at.clone())),
        }
    }

    /// What the group has committed; partitions without a committed offset are left out.
    pub async fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<(TopicPartition, CommittedOffset)>, ConsumerError> {
        let group = self.settings.group.as_ref();
        let group = group.ok_or(ConsumerError::NoGroup("reading committed offsets"))?;
        let admin = Admin::over(self.cluster.clone());
        flat(
            admin
                .group_offsets(&group.id, Some(partitions), true)
                .await?,
        )
    }

    /// First offsets.
    pub async fn beginning_offsets(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<(TopicPartition, i64)>, ConsumerError> {
        self.edge(partitions, OffsetSpec::Earliest).await
    }

    /// Offsets of the records that come next; with read_committed, of what may be read.
    pub async fn end_offsets(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<(TopicPartition, i64)>, ConsumerError> {
        self.edge(partitions, OffsetSpec::Latest).await
    }

    async fn edge(
        &self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
    ) -> Result<Vec<(TopicPartition, i64)>, ConsumerError> {
        let asked: Vec<_> = partitions.iter().map(|at| (at.clone(), spec)).collect();
        let listed = self.list(&asked).await?;
        let offset = |(at, listed): (_, ListedOffset)| (at, listed.offset.unwrap_or(0));
        Ok(listed.into_iter().map(offset).collect())
    }

    /// For each partition the first record at or after a time (milliseconds since 1970), where there is one.
    pub async fn offsets_for_times(
        &self,
        times: &[(TopicPartition, i64)],
    ) -> Result<Vec<(TopicPartition, Option<ListedOffset>)>, ConsumerError> {
        let asked: Vec<_> = times
            .iter()
            .map(|(at, time)| (at.clone(), OffsetSpec::At((*time).max(0))))
            .collect();
        let listed = self.list(&asked).await?;
        let found = |(at, listed): (_, ListedOffset)| (at, listed.offset.map(|_| listed));
        Ok(listed.into_iter().map(found).collect())
    }

    async fn list(
        &self,
        asked: &[(TopicPartition, OffsetSpec)],
    ) -> Result<Vec<(TopicPartition, ListedOffset)>, ConsumerError> {
        let admin = Admin::over(self.cluster.clone());
        let isolation = self.settings.fetch.isolation;
        flat(admin.list_offsets(asked, isolation).await?)
    }
}

/// All answers, or the first error.
fn flat<T>(
    outcomes: Outcomes<TopicPartition, T>,
) -> Result<Vec<(TopicPartition, T)>, ConsumerError> {
    let one = |(partition, outcome): (TopicPartition, Result<T, _>)| match outcome {
        Ok(found) => Ok((partition, found)),
        Err(error) => Err(ConsumerError::Partition { partition, error }),
    };
    outcomes.into_iter().map(one).collect()
}
