use super::*;
use crate::output::Form;

fn planned(line: &str) -> Result<Plan, String> {
    let words = format!("--bootstrap-server h:1 {line}");
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    let mut cx = Context::of_process("kafka-transactions");
    let args: Result<Args, Stop> = argparse::start(&words, "kafka-transactions.sh", &mut cx);
    args.and_then(|args| plan(args.action))
        .map_err(|stop| match stop {
            Stop::Usage(text) => text,
            Stop::Failed(failure) => failure.message,
            other => format!("{other:?}"),
        })
}

#[test]
fn a_transaction_is_aborted_by_its_start_or_by_its_producer() {
    let at = TopicPartition::new("t", 3);
    assert_eq!(
        planned("abort --topic t --part 3 --start 9"),
        Ok(Plan::AbortFrom(at.clone(), 9, Format::Table))
    );
    assert_eq!(
        planned("abort --topic t --partition 3 --start-offset 9 --producer-id 4"),
        Ok(Plan::AbortFrom(at.clone(), 9, Format::Table)),
        "the start says enough"
    );
    let by_producer = planned(
        "abort --topic t --partition 3 --producer-id 4 --producer-epoch 5 --coordinator-epoch -1",
    );
    let spec = AbortSpec {
        at,
        producer_id: 4,
        producer_epoch: 5,
        coordinator_epoch: 0,
    };
    assert_eq!(by_producer, Ok(Plan::Abort(spec, Format::Table)));
}

#[test]
fn what_does_not_say_enough_is_refused_in_the_references_words() {
    for (line, sentence) in [
        (
            "abort --topic t --partition 3",
            "The transaction to abort must be identified either with --start-offset (for brokers on 3.0 or above) or with \
             --producer-id, --producer-epoch, and --coordinator-epoch (for older brokers)",
        ),
        (
            "abort --topic t --partition 3 --producer-id 4",
            "Missing required argument --producer-epoch",
        ),
        (
            "abort --topic t --partition 3 --producer-id 4 --producer-epoch 1",
            "Missing required argument --coordinator-epoch",
        ),
        (
            "abort --topic t",
            "kafka-transactions.sh: error: argument --partition is required",
        ),
        (
            "find-hanging --partition 1",
            "The `find-hanging` command requires either --topic or --broker-id to limit the scope of the search",
        ),
        (
            "find-hanging --broker-id 1 --partition 1",
            "The --partition argument requires --topic to be provided",
        ),
        (
            "abort --topic t --partition 1 --producer-epoch 40000",
            "kafka-transactions.sh: error: argument --producer-epoch: could not convert '40000' to Short (For input string: \"40000\")",
        ),
    ] {
        assert_eq!(planned(line), Err(sentence.to_owned()), "{line}");
    }
}

#[test]
fn what_is_not_said_is_as_in_the_reference() {
    let search = Search {
        broker: Some(BrokerId(2)),
        topic: None,
        partition: None,
        longer_than_ms: 15 * 60_000,
    };
    assert_eq!(
        planned("find-hanging --broker-id 2"),
        Ok(Plan::FindHanging(search, Format::Table))
    );
    let filter = TransactionFilter::default();
    assert_eq!(
        planned("list --output json"),
        Ok(Plan::List(filter, Format::Data(Form::Json)))
    );
}

#[test]
fn a_sentence_ends_once() {
    for reason in ["It is so", "It is so."] {
        let failure = about("No", Failure::new(reason));
        assert_eq!(failure.message, "No: It is so.");
    }
}
