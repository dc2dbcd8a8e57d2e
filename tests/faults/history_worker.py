"""history_worker.py ROLE BOOTSTRAP ...: a client of the histories of transactions, by librdkafka, until its input ends. What it
prints is told in tests/e2e/exactly_once/told.rs. One whose library says that it cannot go on ends with status 1.

move BOOTSTRAP FROM GROUP TO PARTITIONS ID NAME SEED
read BOOTSTRAP TOPIC PARTITIONS
commit BOOTSTRAP TOPIC GROUP FIRST"""
import os
import random
import struct
import sys
import threading
import time
import traceback

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition

INPUT_MAX = 5
RECORDS_MAX = 3
ABORTED_ONE_IN = 6
PATIENCE_S = 15
LOOK_EVERY = 10

role, bootstrap, *words = sys.argv[1:]
common = {
    "bootstrap.servers": bootstrap,
    "log_level": 0,
    "retry.backoff.ms": 50,
    "reconnect.backoff.ms": 20,
    "reconnect.backoff.max.ms": 200,
    # When the only broker is gone, librdkafka 2.16 otherwise forgets it while a transaction waits for it, and waits for ever.
    "metadata.recovery.strategy": "none",
}
consuming = common | {
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    "isolation.level": "read_committed",
    "fetch.wait.max.ms": 50,
    "fetch.error.backoff.ms": 50,
}

stopped = threading.Event()
threading.Thread(target=lambda: (sys.stdin.buffer.read(), stopped.set()), daemon=True).start()


def say(*words):
    print(*words, flush=True)


def again(what):
    """As often as the library says that it may be tried again: the outcome is still open then."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return what()
        except KafkaException as error:
            if not error.args[0].retriable() or time.monotonic() > deadline:
                raise


class Mover:
    def __init__(self, source, group, target, partitions, identity, name, seed):
        self.target, self.partitions, self.name = target, int(partitions), name
        self.random = random.Random(int(seed))
        self.number = 0
        self.producer = Producer(
            common | {"transactional.id": identity, "transaction.timeout.ms": 5000, "linger.ms": 0}
        )
        again(lambda: self.producer.init_transactions(5))
        self.batch = []
        self.consumer = Consumer(
            consuming
            | {
                "group.id": group,
                "client.id": name,
                "session.timeout.ms": 3000,
                "heartbeat.interval.ms": 500,
                "partition.assignment.strategy": "range",
            }
        )
        # With callbacks a rebalance waits for a poll, and so for the transaction's end; what was read and not begun is
        # the next owner's.
        forget = lambda *_: self.batch.clear()
        self.consumer.subscribe([source], on_assign=lambda *_: None, on_revoke=forget, on_lost=forget)

    def run(self):
        while not stopped.is_set():
            record = self.consumer.poll(0.1)
            if record is not None and record.error() is None:
                self.batch.append(record)
            if self.batch and (record is None or len(self.batch) == INPUT_MAX):
                self.work()
        self.consumer.close()

    def work(self):
        metadata = self.consumer.consumer_group_metadata()
        first, last = {}, {}
        for record in self.batch:
            first.setdefault(record.partition(), record.offset())
            last[record.partition()] = record.offset()
        source = self.batch[0].topic()
        self.batch.clear()
        starts = [TopicPartition(source, partition, offset) for partition, offset in first.items()]
        # Who is no member any more would commit as nobody's member, which nobody checks.
        if struct.unpack_from("<i", metadata, len("CGMDv2:"))[0] < 0:
            return self.rewind(starts)
        say("begin", *(f"{at}:{first[at]}:{last[at] + 1}" for at in first))
        self.producer.begin_transaction()
        try:
            for n in range(self.random.randint(1, RECORDS_MAX)):
                for partition in range(self.partitions):
                    value = f"{self.name}/{self.number}/{partition}/{n}"
                    say("send", partition, value)
                    self.producer.produce(self.target, value, partition=partition)
            self.number += 1
            ends = [TopicPartition(source, partition, offset + 1) for partition, offset in last.items()]
            again(lambda: self.producer.send_offsets_to_transaction(ends, metadata, 5))
            if self.random.randrange(ABORTED_ONE_IN) == 0:
                return self.abort(starts)
            say("commit")
            again(lambda: self.producer.commit_transaction(5))
            say("committed")
        except KafkaException as error:
            if not error.args[0].txn_requires_abort():
                raise
            print("aborts:", error, file=sys.stderr)
            self.abort(starts)

    def abort(self, starts):
        again(lambda: self.producer.abort_transaction(5))
        say("aborted")
        self.rewind(starts)

    def rewind(self, starts):
        for start in starts:
            try:
                self.consumer.seek(start)
            except KafkaException as error:
                # Not ours any more: the next owner begins at what is committed.
                print("does not rewind:", error, file=sys.stderr)


def read(topic, partitions):
    consumer = Consumer(consuming | {"group.id": "nobody"})
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(int(partitions))])
    while not stopped.is_set():
        record = consumer.poll(0.1)
        if record is not None and record.error() is None:
            say("seen", record.partition(), record.offset(), record.value().decode())


def commit(topic, group, first):
    consumer = Consumer(consuming | {"group.id": group})
    at = TopicPartition(topic, 0)
    offset = int(first)
    while not stopped.is_set():
        try:
            if offset % LOOK_EVERY == 1:
                found = consumer.committed([at], timeout=5)[0]
                if found.error is None:
                    say("found", found.offset)
            say("asked", offset)
            answer = consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)[0]
            if answer.error is None:
                say("acknowledged", offset)
        except KafkaException as error:
            print("does not know:", error, file=sys.stderr)
        offset += 1
        time.sleep(0.02)


try:
    {"move": lambda *words: Mover(*words).run(), "read": read, "commit": commit}[role](*words)
except KafkaException:
    # Without a farewell: librdkafka would wait for those who are gone.
    traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)
