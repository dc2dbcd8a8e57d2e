//! A batch through the filters: several at once, records of one partition by the same filter in their order.
//!
//! Always: where a filter fails a batch, its records are told again one by one, so that it is certain which of them it fails at;
//! such a record is told again with growing pauses until its tries are used up.

use std::time::Duration;

use tokio::task::JoinSet;

use ottla_client::cluster::Backoff;
use ottla_client::consumer::ConsumerRecord;
use ottla_client::process::Output;

use super::filter::{Filter, FilterError, FilterSettings};

/// What all workers go by.
#[derive(Debug, Clone)]
pub(super) struct WorkSettings {
    pub(super) filter: FilterSettings,
    /// Where values go that name no topic.
    pub(super) topic: Option<String>,
    pub(super) retries: u32,
    pub(super) retry_backoff: Backoff,
}

/// A record that was given up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GivenUp {
    pub(super) attempts: u32,
    pub(super) reason: String,
}

pub(super) type Outcome = Result<Vec<Output>, GivenUp>;

#[derive(Debug)]
pub(super) struct Workers {
    settings: WorkSettings,
    filters: Vec<Filter>,
    /// Attempts at records after their first.
    pub(super) retries: u64,
}

impl Workers {
    /// Starts the filters, so that a program that is not there is told before any record is read.
    pub(super) fn start(settings: WorkSettings, count: usize) -> Result<Self, FilterError> {
        let mut filters = Vec::new();
        for _ in 0..count.max(1) {
            let mut filter = Filter::new(settings.filter.clone());
            filter.start()?;
            filters.push(filter);
        }
        Ok(Self {
            settings,
            filters,
            retries: 0,
        })
    }

    /// What each record has become.
    pub(super) async fn work(
        &mut self,
        batch: &[ConsumerRecord],
    ) -> Result<Vec<Outcome>, FilterError> {
        let count = self.filters.len();
        let mut shares: Vec<Vec<usize>> = vec![Vec::new(); count];
        for (index, record) in batch.iter().enumerate() {
            let partition = usize::try_from(record.partition).unwrap_or(0);
            if let Some(share) = shares.get_mut(partition % count) {
                share.push(index);
            }
        }
        let mut working = JoinSet::new();
        let filters = std::mem::take(&mut self.filters);
        for (worker, (filter, share)) in filters.into_iter().zip(shares).enumerate() {
            let records: Vec<ConsumerRecord> = share
                .iter()
                .filter_map(|index| batch.get(*index).cloned())
                .collect();
            let mut work = Work {
                filter,
                settings: self.settings.clone(),
                retries: 0,
            };
            working.spawn(async move {
                let outcomes = work.share(&records).await;
                (worker, work, share, outcomes)
            });
        }
        let mut outcomes: Vec<Option<Outcome>> = Vec::new();
        outcomes.resize_with(batch.len(), || None);
        let mut filters: Vec<(usize, Filter)> = Vec::new();
        let mut failure = None;
        while let Some(joined) = working.join_next().await {
            let Ok((worker, work, share, done)) = joined else {
                unreachable!("workers neither panic nor are they ended")
            };
            self.retries += work.retries;
            filters.push((worker, work.filter));
            match done {
                Ok(done) => {
                    for (index, outcome) in share.into_iter().zip(done) {
                        if let Some(place) = outcomes.get_mut(index) {
                            *place = Some(outcome);
                        }
                    }
                }
                Err(error) => failure = Some(error),
            }
        }
        filters.sort_by_key(|(worker, _)| *worker);
        self.filters = filters.into_iter().map(|(_, filter)| filter).collect();
        match failure {
            Some(error) => Err(error),
            None => Ok(outcomes.into_iter().flatten().collect()),
        }
    }

    /// How often filters were started again.
    pub(super) fn restarts(&self) -> u64 {
        self.filters.iter().map(|filter| filter.restarts).sum()
    }

    pub(super) async fn close(self) {
        for filter in self.filters {
            filter.close().await;
        }
    }
}

/// One filter's part.
struct Work {
    filter: Filter,
    settings: WorkSettings,
    retries: u64,
}

impl Work {
    async fn share(&mut self, records: &[ConsumerRecord]) -> Result<Vec<Outcome>, FilterError> {
        let tried = self.attempt(records).await?;
        let mut outcomes = Vec::with_capacity(records.len());
        // All at once is a try of no single record, unless there is only one.
        let counts = matches!(&tried, Tried::Each(_)) || records.len() == 1;
        let tried = match tried {
            Tried::Each(tried) => tried,
            Tried::None(reason) => vec![Err(reason); records.len()],
        };
        for (record, tried) in records.iter().zip(tried) {
            outcomes.push(match tried {
                Ok(outputs) => Ok(outputs),
                Err(reason) => self.alone(record, reason, u32::from(counts)).await?,
            });
        }
        Ok(outcomes)
    }

    /// One record until it is answered or its tries are used up.
    async fn alone(
        &mut self,
        record: &ConsumerRecord,
        mut reason: String,
        mut attempts: u32,
    ) -> Result<Outcome, FilterError> {
        // The filter would never hear of it.
        let untold = self.settings.filter.format.tell(record, &mut Vec::new());
        while untold.is_ok() && attempts <= self.settings.retries {
            if attempts > 0 {
                self.retries += 1;
                tokio::time::sleep(self.settings.retry_backoff.after(attempts)).await;
            }
            attempts += 1;
            match self.attempt(std::slice::from_ref(record)).await? {
                Tried::Each(mut tried) => match tried.pop() {
                    Some(Ok(outputs)) => return Ok(Ok(outputs)),
                    Some(Err(again)) => reason = again,
                    None => unreachable!("one record, one outcome"),
                },
                Tried::None(again) => reason = again,
            }
        }
        Ok(Err(GivenUp { attempts, reason }))
    }

    /// Tells the filter these records once.
    async fn attempt(&mut self, records: &[ConsumerRecord]) -> Result<Tried, FilterError> {
        let format = self.settings.filter.format;
        let mut told = Vec::new();
        let untold: Vec<Option<String>> = records
            .iter()
            .map(|record| {
                let start = told.len();
                let failure = format.tell(record, &mut told).err();
                if failure.is_some() {
                    told.truncate(start);
                }
                failure
            })
            .collect();
        let count = untold.iter().filter(|failure| failure.is_none()).count();
        let answers = match self.filter.ask(&told, count).await {
            Ok(answers) => answers,
            // It will not start for any other record either, and what it has answered before may be wrong.
            Err(error @ (FilterError::NotStarted { .. } | FilterError::Unasked)) => {
                return Err(error);
            }
            Err(error) => return Ok(Tried::None(error.to_string())),
        };
        let mut answers = answers.into_iter();
        let topic = self.settings.topic.as_deref();
        let each = records
            .iter()
            .zip(untold)
            .map(|(record, untold)| match untold {
                Some(reason) => Err(reason),
                None => format.understand(answers.next().flatten(), record, topic),
            });
        Ok(Tried::Each(each.collect()))
    }
}

enum Tried {
    Each(Vec<Result<Vec<Output>, String>>),
    /// The filter has failed.
    None(String),
}

/// Between two tries of a record.
pub(super) const RETRY_BACKOFF: Backoff = Backoff {
    initial: Duration::from_millis(100),
    max: Duration::from_secs(10),
};

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use ottla_protocol::records::TimestampType;

    use super::super::format::Format;
    use super::*;

    fn record(partition: i32, offset: i64, value: &'static str) -> ConsumerRecord {
        ConsumerRecord {
            topic: "in".into(),
            partition,
            offset,
            timestamp: -1,
            timestamp_type: TimestampType::CreateTime,
            leader_epoch: None,
            key: None,
            value: Some(Bytes::from_static(value.as_bytes())),
            headers: Vec::new(),
        }
    }

    fn workers(script: &str, format: Format, count: usize) -> Workers {
        let settings = WorkSettings {
            filter: FilterSettings {
                command: ["sh", "-c", script].map(str::to_owned).to_vec(),
                format,
                is_per_batch: false,
                deadline: Duration::from_secs(20),
            },
            topic: Some("out".to_owned()),
            retries: 2,
            retry_backoff: Backoff {
                initial: Duration::from_millis(1),
                max: Duration::from_millis(1),
            },
        };
        Workers::start(settings, count).unwrap()
    }

    fn shown(outcomes: &[Outcome]) -> Vec<String> {
        let value = |output: &Output| {
            String::from_utf8_lossy(output.value.as_deref().unwrap_or_default()).into_owned()
        };
        outcomes
            .iter()
            .map(|outcome| match outcome {
                Ok(outputs) => outputs.iter().map(value).collect::<Vec<_>>().join(","),
                Err(given_up) => {
                    format!("given up after {}: {}", given_up.attempts, given_up.reason)
                }
            })
            .collect()
    }

    #[tokio::test]
    async fn a_partition_s_records_stay_with_one_filter_in_their_order() {
        let script =
            "count=0; while read -r line; do count=$((count+1)); echo \"$line $$ $count\"; done";
        let mut workers = workers(script, Format::Lines, 2);
        let batch: Vec<_> = (0..6).map(|n| record(n % 3, n.into(), "v")).collect();
        let answers = shown(&workers.work(&batch).await.unwrap());
        let (pids, counts): (Vec<&str>, Vec<&str>) = answers
            .iter()
            .map(|line| {
                let mut words = line.split(' ').skip(1);
                (words.next().unwrap(), words.next().unwrap())
            })
            .unzip();
        assert_eq!(
            counts,
            ["1", "1", "2", "3", "2", "4"],
            "partitions 0 and 2 share a filter"
        );
        assert!(
            pids[0] == pids[2] && pids[0] == pids[3] && pids[1] == pids[4] && pids[0] != pids[1]
        );
    }

    #[tokio::test]
    async fn a_record_that_kills_the_filter_is_found_and_given_up_and_the_others_go_through() {
        let script = "while read -r line; do [ \"$line\" = bad ] && exit 7; echo \"$line!\"; done";
        let mut workers = workers(script, Format::Lines, 1);
        let batch = [record(0, 0, "a"), record(0, 1, "bad"), record(0, 2, "b")];
        let outcomes = shown(&workers.work(&batch).await.unwrap());
        assert_eq!((outcomes[0].as_str(), outcomes[2].as_str()), ("a!", "b!"));
        assert!(outcomes[1].starts_with("given up after 3: the filter has ended (exit status: 7)"));
        assert_eq!((workers.retries, workers.restarts()), (2, 4));
    }

    #[tokio::test]
    async fn an_error_is_that_record_s_and_it_is_tried_again_alone() {
        let script = "while read -r line; do case $line in *sour*) echo '{\"error\":\"sour\"}';; *) echo '{\"value\":\"ok\"}';; esac; done";
        let mut workers = workers(script, Format::Json, 1);
        let batch = [record(0, 0, "sweet"), record(0, 1, "sour")];
        let outcomes = shown(&workers.work(&batch).await.unwrap());
        assert_eq!(outcomes, ["ok", "given up after 3: sour"]);
        assert_eq!(workers.restarts(), 0);
    }

    #[tokio::test]
    async fn a_value_that_is_no_line_is_given_up_without_the_filter() {
        let mut workers = workers("cat", Format::Lines, 1);
        let batch = [record(0, 0, "a"), record(0, 1, "two\nlines")];
        let outcomes = shown(&workers.work(&batch).await.unwrap());
        assert_eq!(outcomes[0], "a");
        assert!(outcomes[1].contains("--format json"), "{outcomes:?}");
    }
}
