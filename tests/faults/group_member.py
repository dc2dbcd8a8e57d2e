"""group_member.py BOOTSTRAP TOPIC GROUP NAME [KEY=VALUE ...]: a member of a group, by librdkafka. Prints what it comes to own,
what it reads and what it commits, until its input ends; then it leaves. The lines are told in xtask/src/faults/members.rs."""
import struct
import sys
import threading

from confluent_kafka import Consumer, KafkaException, TopicPartition

BATCH_MAX = 200

bootstrap, topic, group, name, *keys = sys.argv[1:]
config = {
    "bootstrap.servers": bootstrap,
    "group.id": group,
    "client.id": name,
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    "log_level": 0,
}
consumer = Consumer(config | dict(key.split("=", 1) for key in keys))

stopped = threading.Event()
threading.Thread(target=lambda: (sys.stdin.buffer.read(), stopped.set()), daemon=True).start()

# First and last offset of what was read and not yet committed, by partition.
batch = {}


def generation():
    """librdkafka tells it nowhere but in what a transactional producer is to be given."""
    return struct.unpack_from("<i", consumer.consumer_group_metadata(), len("CGMDv2:"))[0]


def commit():
    ours = generation()
    for partition, (first, last) in batch.items():
        print("read", ours, partition, first, last, flush=True)
    offsets = [TopicPartition(topic, partition, last + 1) for partition, (_, last) in batch.items()]
    batch.clear()
    try:
        for answer in consumer.commit(offsets=offsets, asynchronous=False) if offsets else []:
            if answer.error is None:
                print("commit", ours, answer.partition, answer.offset, flush=True)
    except KafkaException as error:
        # Not promised: whoever reads on begins before it.
        print(error, file=sys.stderr)


def assigned(_, partitions):
    # What stays, where not everything is given anew.
    owned = {at.partition for at in consumer.assignment() + partitions}
    print("own", generation(), *sorted(owned), flush=True)


def revoked(_, partitions):
    commit()


consumer.subscribe([topic], on_assign=assigned, on_revoke=revoked, on_lost=lambda *_: batch.clear())
while not stopped.is_set():
    record = consumer.poll(0.1)
    if record is not None and record.error() is None:
        first, _ = batch.get(record.partition(), (record.offset(), None))
        batch[record.partition()] = (first, record.offset())
    if record is None or sum(last - first for first, last in batch.values()) > BATCH_MAX:
        commit()
commit()
consumer.close()
