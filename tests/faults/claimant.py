"""claimant.py BOOTSTRAP TOPIC PARTITIONS TRANSACTIONAL_ID: a transactional producer by librdkafka that does as it is told: `claim`,
`begin NUMBER` (which sends it to each partition), `commit`. It answers each line with what became of it: `done`, `fenced WHY` or
`failed WHY`. Claimant.java is its twin."""
import sys

from confluent_kafka import KafkaError, KafkaException, Producer

FENCED = (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED)
PATIENCE_S = 30

bootstrap, topic, partitions, transactional_id = sys.argv[1:]
config = {"bootstrap.servers": bootstrap, "transactional.id": transactional_id, "linger.ms": 0, "log_level": 0}
producer = None


def do(word, *rest):
    global producer
    if word == "claim":
        producer = Producer(config)
        producer.init_transactions(PATIENCE_S)
    elif word == "begin":
        producer.begin_transaction()
        for partition in range(int(partitions)):
            producer.produce(topic, rest[0].encode(), partition=partition)
        producer.poll(0)
    else:
        producer.commit_transaction(PATIENCE_S)


def outcome(words):
    try:
        do(*words)
        return "done"
    except KafkaException as exception:
        error = exception.args[0]
    try:
        # An error that calls for an abort is none that ends the producer, unless the abort tells another story.
        if error.txn_requires_abort():
            producer.abort_transaction(PATIENCE_S)
    except KafkaException as exception:
        error = exception.args[0]
    return f"{'fenced' if error.code() in FENCED else 'failed'} {error.name()}"


for line in sys.stdin:
    print(outcome(line.split()), flush=True)
