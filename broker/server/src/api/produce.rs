//! Produce (0): appends one batch per partition.
//!
//! - v3: format 2 with one batch per partition; v0 to v2 are advertised for librdkafka's sake and refused.
//! - v7: zstd is allowed (KIP-110).
//! - v8: the reply names rejected records (KIP-467).
//! - v9: flexible. v10: the reply may name a new leader (KIP-951).
//! - v11: TRANSACTION_ABORTABLE. v12: batches add their partitions to transactions (KIP-890).
//! - v13: topics by id.
//!
//! All batches are appended before the next request of the connection begins; only the reply may wait for a flush. Where
//! the transaction coordinator is asked first (`verification`), the connection waits for it.

mod failure;
mod targets;
mod verification;

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use ottla_coordination::txn::{Origin, ProducerBatch};
use ottla_protocol::compress::InflateLimits;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::{ProduceRequest, ProduceResponse};
use ottla_protocol::records::batch::{TimestampType, patch_max_timestamp};
use ottla_protocol::records::builder::{RecompressError, recompress};
use ottla_protocol::records::{Rules, Validated, validate_produce};
use ottla_protocol::types::{Millis, ProducerId};
use tokio::time::Instant;

use super::{Answer, Context};
use crate::clock;
use crate::exec::deadlines::Deadlines;
use crate::exec::partition::{Acks, Append, Placed};
use crate::exec::producers::producer_batch;
use crate::exec::topic::TopicSettings;
use crate::exec::waits::AckWait;
use failure::Failure;
use targets::{NO_OFFSET, Target, fill, lay_out, partition_of};
use verification::ask_coordinator;

/// Versions before it must not carry zstd.
const ZSTD_FROM: i16 = 7;

/// A request on its way: what is answered so far, and what is to be appended.
struct Batches {
    response: ProduceResponse,
    targets: Vec<Target>,
    frame: BytesMut,
    terms: Terms,
    timeout: Duration,
    deadlines: Arc<Deadlines>,
}

/// What holds for all partitions of the request.
struct Terms {
    acks: Acks,
    is_transactional: bool,
    zstd_allowed: bool,
    now: Millis,
}

pub(crate) fn handle(context: &Context<'_>, request: ProduceRequest) -> Answer<ProduceResponse> {
    let acks = match request.acks {
        0 => Some(Acks::None),
        1 => Some(Acks::Leader),
        -1 => Some(Acks::All),
        _ => None,
    };
    let terms = Terms {
        acks: acks.unwrap_or(Acks::Leader),
        is_transactional: request.transactional_id.is_some(),
        zstd_allowed: context.version >= ZSTD_FROM,
        now: clock::now(),
    };
    let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    let frame = context.take_frame();
    let (response, targets) = lay_out(context, &request, &frame, acks.is_some());
    let transactional_id = request.transactional_id.as_ref().map(ToString::to_string);
    drop(request);
    // Alone again, the frame's bytes can be changed in place. It always is; a copy would be right as well.
    let frame = frame
        .try_into_mut()
        .unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    let mut batches = Batches {
        response,
        targets,
        frame,
        terms,
        timeout,
        deadlines: context.broker.deadlines.clone(),
    };
    if let Some(transactional_id) = transactional_id {
        let version = context.version;
        if let Some(asking) =
            ask_coordinator(context.broker, transactional_id, version, &mut batches)
        {
            return Answer::Held(Box::pin(async move {
                asking.settle(&mut batches).await;
                batches.terms.now = clock::now();
                batches.append().0
            }));
        }
    }
    let (answer, frame) = batches.append();
    context.give_back(frame);
    answer
}

impl Batches {
    fn refuse_all(&mut self, code: ErrorCode) {
        for target in &mut self.targets {
            target.refused = Some(code.into());
        }
    }

    /// Appends what was not refused, and answers. Also gives the frame's memory back.
    fn append(mut self) -> (Answer<ProduceResponse>, BytesMut) {
        let mut wait = None;
        for target in &mut self.targets {
            let Some(records) = self.frame.get_mut(target.range.clone()) else {
                continue;
            };
            let result = match target.refused.take() {
                Some(failure) => Err(failure),
                None => append(target, records, &self.terms, &mut wait),
            };
            if let Some(partition) = partition_of(&mut self.response, target) {
                fill(partition, result);
            }
        }
        let response = self.response;
        let answer = match (self.terms.acks, wait) {
            (Acks::None, _) => match first_error(&response) {
                None => Answer::Nothing,
                // The only way to tell: the producer looks for the leader again.
                Some(code) => Answer::Close(format!("produce with acks=0 failed: {}", code.name())),
            },
            (_, None) => Answer::now(response),
            (_, Some(wait)) => {
                let deadline = Instant::now() + self.timeout;
                Answer::later(acknowledge(response, wait, self.deadlines, deadline))
            }
        };
        (answer, self.frame)
    }
}

/// Validates and appends one partition's record set.
fn append(
    target: &Target,
    records: &mut [u8],
    terms: &Terms,
    wait: &mut Option<Arc<AckWait>>,
) -> Result<Placed, Failure> {
    let settings = target.to.settings();
    if terms.acks == Acks::All && settings.insync_replicas_min > 1 {
        return Err(ErrorCode::NotEnoughReplicas.into());
    }
    let valid = validate_produce(records, &rules(&settings, terms))?;
    let how = Append {
        acks: terms.acks,
        log_append_time: settings.log_append_time,
        producer: producer_batch(&valid.header)
            .filter(|producer| producer.producer_id > ProducerId::NONE)
            .map(|producer| ProducerBatch {
                // As it will be on the log, whatever the producer claims.
                max_timestamp: valid.max_timestamp,
                ..producer
            }),
        origin: Origin::Client(target.verification),
    };
    let batch = records
        .get_mut(..valid.size_in_bytes)
        .ok_or(ErrorCode::CorruptMessage)?;
    let mut made = recompressed(batch, &valid, &settings)?;
    let batch = made.as_deref_mut().unwrap_or(batch);
    if !settings.log_append_time {
        // Whatever the producer claims, also that the time is that of an append.
        patch_max_timestamp(batch, TimestampType::CreateTime, valid.max_timestamp);
    }
    Ok(target.to.append(batch, how, wait, terms.now)?)
}

fn rules(settings: &TopicSettings, terms: &Terms) -> Rules {
    Rules {
        now: terms.now,
        timestamp_type: if settings.log_append_time {
            TimestampType::LogAppendTime
        } else {
            TimestampType::CreateTime
        },
        timestamp_before_max: settings.timestamp_before_max_ms,
        timestamp_after_max: settings.timestamp_after_max_ms,
        batch_bytes_max: settings.message_bytes_max,
        compacted: settings.is_compacted,
        transactional: terms.is_transactional,
        zstd_allowed: terms.zstd_allowed,
        inflate: InflateLimits::STRICT,
    }
}

/// The batch under the topic's own codec, where it has one and the producer used another.
fn recompressed(
    batch: &[u8],
    valid: &Validated,
    settings: &TopicSettings,
) -> Result<Option<Vec<u8>>, Failure> {
    let Some((wanted, level)) = settings.compression else {
        return Ok(None);
    };
    if valid.header.compression()? == wanted {
        return Ok(None);
    }
    let bytes_max = settings.message_bytes_max;
    let made = recompress(batch, wanted, level, InflateLimits::STRICT, bytes_max);
    made.map(Some).map_err(|error| Failure {
        code: match error {
            RecompressError::TooLarge { .. } => ErrorCode::MessageTooLarge,
            RecompressError::Read(_) | RecompressError::Build(_) => ErrorCode::InvalidRecord,
        },
        message: Some(error.to_string()),
        records: Vec::new(),
    })
}

fn first_error(response: &ProduceResponse) -> Option<ErrorCode> {
    let partitions = response
        .responses
        .iter()
        .flat_map(|topic| &topic.partition_responses);
    partitions
        .map(|partition| ErrorCode::from_code(partition.error_code))
        .find(|code| code.is_err())
}

/// Waits until what was appended is as durable as it has to be, and answers.
async fn acknowledge(
    mut response: ProduceResponse,
    wait: Arc<AckWait>,
    deadlines: Arc<Deadlines>,
    deadline: Instant,
) -> ProduceResponse {
    wait.release();
    let settled = {
        let _deadline = deadlines.enter(deadline, wait.clone());
        wait.settled_in_time().await
    };
    let trouble = match settled {
        Some(true) => return response,
        Some(false) => ErrorCode::KafkaStorageError,
        None => ErrorCode::RequestTimedOut,
    };
    let partitions = response
        .responses
        .iter_mut()
        .flat_map(|topic| &mut topic.partition_responses);
    for partition in partitions.filter(|partition| partition.error_code == ErrorCode::None.code()) {
        partition.error_code = trouble.code();
        partition.base_offset = NO_OFFSET;
        partition.log_append_time_ms = NO_OFFSET;
        partition.log_start_offset = NO_OFFSET;
    }
    response
}

#[cfg(test)]
mod tests {
    use ottla_protocol::messages::api::produce::response::{
        PartitionProduceResponse, TopicProduceResponse,
    };

    use super::*;

    #[tokio::test]
    async fn who_waits_longer_for_the_disk_than_it_may_is_told_so() {
        let deadlines = Arc::new(Deadlines::default());
        let watched = deadlines.clone();
        tokio::spawn(async move { watched.watch().await });
        let wait = AckWait::new();
        // The disk never says anything.
        wait.add();
        let partition = PartitionProduceResponse {
            base_offset: 7,
            ..Default::default()
        };
        let topic = TopicProduceResponse {
            partition_responses: vec![partition],
            ..Default::default()
        };
        let response = ProduceResponse {
            responses: vec![topic],
            ..Default::default()
        };
        let deadline = Instant::now() + Duration::from_millis(5);
        let answer = acknowledge(response, wait, deadlines, deadline).await;
        assert!(Instant::now() >= deadline);
        assert_eq!(first_error(&answer), Some(ErrorCode::RequestTimedOut));
        let partition = &answer.responses[0].partition_responses[0];
        assert_eq!(partition.base_offset, NO_OFFSET);
    }
}
