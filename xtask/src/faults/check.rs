//! What is in a topic against what was acknowledged.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::broker::Broker;
use super::clients::Acks;

/// Acknowledgements by the name of the producer.
pub(super) type Told = BTreeMap<String, Acks>;

#[derive(Debug, Default, PartialEq)]
pub(super) struct Tally {
    pub(super) records: usize,
    pub(super) acked: usize,
    /// Acknowledged and not at the offset that was acknowledged.
    pub(super) lost: usize,
    /// There again, or after one that was sent later.
    pub(super) repeated: usize,
    /// The first few of them, in words.
    pub(super) examples: Vec<String>,
}

const EXAMPLES_MAX: usize = 5;

impl Tally {
    fn note(&mut self, example: String) {
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(example);
        }
    }

    pub(super) fn explain(&self) {
        for example in &self.examples {
            eprintln!("  {example}");
        }
    }
}

/// Reads the whole topic and compares.
pub(super) fn topic(broker: &Broker, topic: &str, partitions: usize, told: &Told) -> Result<Tally> {
    let mut tally = Tally::default();
    for partition in 0..partitions {
        let text = read(broker, topic, partition)?;
        compare(partition, &parse(&text)?, told, &mut tally)?;
    }
    Ok(tally)
}

/// Everything in a partition, as lines `Offset:N<tab>value`.
pub(super) fn read(broker: &Broker, topic: &str, partition: usize) -> Result<String> {
    let count =
        end(broker, topic, partition, "")? - end(broker, topic, partition, " --time earliest")?;
    if count == 0 {
        return Ok(String::new());
    }
    broker.tool(&format!(
        "console-consumer --topic {topic} --partition {partition} --offset earliest --max-messages {count} \
         --timeout-ms 20000 --formatter-property print.offset=true"
    ))
}

/// As `read`, where offsets have gaps: reads until nothing more comes.
pub(super) fn read_compacted(broker: &Broker, topic: &str, partition: usize) -> Result<String> {
    let output = broker.try_tool(&format!(
        "console-consumer --topic {topic} --partition {partition} --offset earliest --timeout-ms 3000 \
         --formatter-property print.offset=true"
    ))?;
    Ok(String::from_utf8(output.stdout)?)
}

/// From the last fault to the last record; the transactions of the dead have to time out first.
const PATIENCE: Duration = Duration::from_secs(120);

/// What readers of committed records get of each partition, in lines, once there are so many or nobody waits for them any longer.
pub(super) fn committed(
    broker: &Broker,
    topic: &str,
    partitions: usize,
    options: &str,
    count: usize,
) -> Result<Vec<String>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let read = |partition| {
            let read = broker.try_tool(&format!(
                "console-consumer --topic {topic} --partition {partition} --offset earliest --timeout-ms 1000 \
                 --isolation-level read_committed {options}"
            ))?;
            Ok(String::from_utf8(read.stdout)?)
        };
        let texts: Vec<String> = (0..partitions).map(read).collect::<Result<_>>()?;
        let there: usize = texts.iter().map(|text| text.lines().count()).sum();
        if there >= count || Instant::now() > deadline {
            return Ok(texts);
        }
    }
}

fn end(broker: &Broker, topic: &str, partition: usize, time: &str) -> Result<i64> {
    let line = broker.tool(&format!(
        "get-offsets --topic {topic} --partitions {partition}{time}"
    ))?;
    let offset = line.trim_end().rsplit(':').next();
    offset
        .and_then(|text| text.parse().ok())
        .with_context(|| format!("no offset in {line:?}"))
}

pub(super) struct Record<'a> {
    pub(super) offset: i64,
    pub(super) value: &'a str,
}

pub(super) fn parse(text: &str) -> Result<Vec<Record<'_>>> {
    let parse_line = |line| {
        let (offset, value) = split(line)?;
        Some(Record {
            offset: offset.parse().ok()?,
            value,
        })
    };
    text.lines()
        .map(|line| parse_line(line).with_context(|| format!("no record: {line:?}")))
        .collect()
}

fn split(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("Offset:")?.split_once('\t')
}

fn compare(partition: usize, records: &[Record<'_>], told: &Told, tally: &mut Tally) -> Result<()> {
    let mut last: HashMap<&str, usize> = HashMap::new();
    let mut at: HashMap<i64, (&str, usize)> = HashMap::new();
    for record in records {
        let mut fields = record.value.split(':');
        let (name, place) = (fields.next(), fields.next());
        let sequence = fields.next().and_then(|text| text.parse::<usize>().ok());
        let (Some(name), Some(place), Some(sequence)) = (name, place, sequence) else {
            anyhow::bail!("{:?} was never sent", record.value);
        };
        ensure!(
            place == partition.to_string() && told.contains_key(name),
            "{:?} does not belong in partition {partition}",
            record.value
        );
        if last.get(name).is_some_and(|last| sequence <= *last) {
            tally.repeated += 1;
            tally.note(format!(
                "partition {partition}, offset {}: {name}'s {sequence} after its {}",
                record.offset, last[name]
            ));
        } else {
            last.insert(name, sequence);
        }
        at.insert(record.offset, (name, sequence));
    }
    tally.records += records.len();
    for (name, acks) in told {
        let acked = acks.acked.get(&partition).map_or(&[][..], Vec::as_slice);
        tally.acked += acked.len();
        for (sequence, offset) in acked {
            let found = at.get(offset);
            if found != Some(&(name.as_str(), *sequence)) {
                tally.lost += 1;
                tally.note(format!(
                    "partition {partition}: {name}'s {sequence} was acknowledged at {offset}, where there is {found:?}"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(acked: &[(usize, i64)]) -> Told {
        let mut acks = Acks::default();
        acks.acked.insert(0, acked.to_vec());
        Told::from([("a".to_owned(), acks)])
    }

    fn tally_of(text: &str, acked: &[(usize, i64)]) -> Result<Tally> {
        let mut tally = Tally::default();
        compare(0, &parse(text)?, &told(acked), &mut tally)?;
        Ok(tally)
    }

    #[test]
    fn what_is_there_as_acknowledged_is_fine_and_so_is_what_was_never_acknowledged() {
        let tally = tally_of(
            "Offset:5\ta:0:0:x\nOffset:6\ta:0:1:\nOffset:7\ta:0:2:xx",
            &[(0, 5), (1, 6)],
        );
        let expected = Tally {
            records: 3,
            acked: 2,
            ..Default::default()
        };
        assert_eq!(tally.unwrap(), expected);
    }

    #[test]
    fn bad_histories_are_found() {
        let lost = tally_of("Offset:5\ta:0:0:x", &[(0, 5), (1, 6)]).unwrap();
        assert_eq!((lost.lost, lost.repeated), (1, 0));
        let elsewhere = tally_of("Offset:6\ta:0:0:x", &[(0, 5)]).unwrap();
        assert_eq!((elsewhere.lost, elsewhere.repeated), (1, 0));
        let doubled = tally_of("Offset:5\ta:0:0:x\nOffset:6\ta:0:0:x", &[(0, 5)]).unwrap();
        assert_eq!((doubled.lost, doubled.repeated), (0, 1));
        let out_of_order = tally_of("Offset:5\ta:0:1:x\nOffset:6\ta:0:0:x", &[]).unwrap();
        assert_eq!(out_of_order.repeated, 1);
        assert!(
            tally_of("Offset:5\ta:1:0:x", &[]).is_err(),
            "of another partition"
        );
        assert!(tally_of("Offset:5\tb:0:0:x", &[]).is_err(), "of nobody");
    }
}
