//! What members say they had before, and what of it is believed.
//!
//! Always: a partition is owned by one member at most. Of two that claim it the one of the later generation has it; of
//! two of the same generation neither.

use bytes::{BufMut, Bytes, BytesMut};

use ottla_protocol::wire::{DecodeError, Reader};

use crate::{
    admin::TopicPartition,
    consumer::assignors::{LastAssignment, Member},
};

use super::layout::{Layout, M, P};

const NO_GENERATION: i32 = -1;

/// How members tell what they had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// By user data, since they have let go everything before.
    UserData,
    /// By what they own and their generation; members of the first versions put only the latter into user data.
    Owned,
}

pub(super) struct Claims {
    /// By member, in the order in which it was told.
    pub(super) owned: Vec<Vec<P>>,
    /// Claimed by several members of the same generation.
    pub(super) contested: Vec<bool>,
    /// By partition the latest owner of an earlier generation than the last one.
    pub(super) previous: Vec<Option<M>>,
}

impl Claims {
    pub(super) fn new(layout: &Layout<'_>, source: Source) -> Self {
        let told: Vec<Told> = layout
            .members
            .iter()
            .map(|member| Told::by(member, source))
            .collect();
        let generation = |m: M| told[m].generation.unwrap_or(NO_GENERATION);
        let latest = (0..told.len()).map(generation).max();
        let latest = latest.unwrap_or(NO_GENERATION);
        let mut claims = Self {
            owned: vec![Vec::new(); told.len()],
            contested: vec![false; layout.partition_count()],
            previous: previous(layout, &told, latest),
        };
        let mut claimant: Vec<Option<M>> = vec![None; layout.partition_count()];
        for m in &layout.given {
            for p in told[*m].partitions.iter().filter_map(|at| layout.find(at)) {
                let Some(other) = claimant[p] else {
                    claims.owned[*m].push(p);
                    claimant[p] = Some(*m);
                    continue;
                };
                // The reference compares with what the other has joined with, not with what it has told.
                let others = layout.members[other].generation.unwrap_or(NO_GENERATION);
                if generation(*m) < others {
                    continue;
                }
                claims.owned[other].retain(|owned| *owned != p);
                claimant[p] = Some(*m);
                if generation(*m) == others {
                    claims.contested[p] = true;
                } else {
                    claims.owned[*m].push(p);
                }
            }
        }
        claims
    }
}

fn previous(layout: &Layout<'_>, told: &[Told], latest: i32) -> Vec<Option<M>> {
    let mut previous: Vec<Option<(M, i32)>> = vec![None; layout.partition_count()];
    for m in &layout.given {
        let generation = told[*m].generation.unwrap_or(NO_GENERATION);
        if generation >= latest {
            continue;
        }
        for p in told[*m].partitions.iter().filter_map(|at| layout.find(at)) {
            if previous[p].is_none_or(|(_, before)| generation > before) {
                previous[p] = Some((*m, generation));
            }
        }
    }
    let owner = |entry: Option<(M, i32)>| entry.map(|(m, _)| m);
    previous.into_iter().map(owner).collect()
}

#[derive(Default)]
struct Told {
    partitions: Vec<TopicPartition>,
    generation: Option<i32>,
}

impl Told {
    fn by(member: &Member, source: Source) -> Self {
        let user_data = member.user_data.clone().filter(|data| !data.is_empty());
        match source {
            Source::UserData => match user_data {
                Some(data) => Self::decode(data),
                None => Self::default(),
            },
            Source::Owned => Self {
                partitions: member.owned.clone(),
                generation: member.generation.or_else(|| {
                    let generation = Reader::new(user_data?).i32("generation");
                    Some(generation.unwrap_or(NO_GENERATION))
                }),
            },
        }
    }

    /// Members of the first versions name no generation; what can't be read says nothing.
    fn decode(data: Bytes) -> Self {
        let mut reader = Reader::new(data);
        let Ok(partitions) = decode_partitions(&mut reader) else {
            return Self {
                partitions: Vec::new(),
                generation: Some(NO_GENERATION),
            };
        };
        Self {
            partitions,
            generation: reader.i32("generation").ok(),
        }
    }
}

fn decode_partitions(reader: &mut Reader) -> Result<Vec<TopicPartition>, DecodeError> {
    let topics = reader.array(false, "previous_assignment", |reader| {
        let topic = reader.string(false, "topic")?;
        let partitions = reader.array(false, "partitions", |reader| reader.i32("partition"))?;
        Ok((topic, partitions))
    })?;
    let mut all = Vec::new();
    for (topic, partitions) in topics {
        let named = |partition| TopicPartition::new(&*topic, partition);
        all.extend(partitions.into_iter().map(named));
    }
    Ok(all)
}

/// What a member of a sticky group tells the leader; nothing before it had anything.
pub(in crate::consumer::assignors) fn sticky_user_data(
    last: Option<&LastAssignment>,
) -> Option<Bytes> {
    let last = last?;
    let mut partitions = last.partitions.clone();
    partitions.sort();
    let mut data = BytesMut::new();
    let topics: Vec<&[TopicPartition]> = partitions
        .chunk_by(|one, next| one.topic == next.topic)
        .collect();
    data.put_i32(length(topics.len()));
    for topic in topics {
        let name = topic.first().map_or("", |at| &at.topic);
        data.put_i16(i16::try_from(name.len()).ok()?);
        data.put_slice(name.as_bytes());
        data.put_i32(length(topic.len()));
        for at in topic {
            data.put_i32(at.partition);
        }
    }
    data.put_i32(last.generation);
    Some(data.freeze())
}

/// The same of a cooperative group, where what is owned has its own place.
pub(in crate::consumer::assignors) fn cooperative_user_data(
    last: Option<&LastAssignment>,
) -> Option<Bytes> {
    let generation = last.map_or(NO_GENERATION, |last| last.generation);
    Some(Bytes::copy_from_slice(&generation.to_be_bytes()))
}

fn length(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
