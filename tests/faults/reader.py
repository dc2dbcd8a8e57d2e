"""reader.py BOOTSTRAP TOPICS _ NAME RATE [KEY=VALUE ...]: reads stretches from random places of partition 0 of each of the
comma-separated topics, at most RATE a second, until its input ends, while records go under its eyes. Prints `0 N 0` for the
N-th stretch that held what producers of acked_producer's make had sent, or ended as the protocol has it; `fail 0 N why`
for any other."""
import random
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

KEYS = 100
PADDING_MAX = 200
STRETCH = 300
EXPECTED = {KafkaError._PARTITION_EOF, KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._AUTO_OFFSET_RESET}

bootstrap, topics, _, name, rate, *keys = sys.argv[1:]
config = {"bootstrap.servers": bootstrap, "group.id": name, "enable.auto.commit": False, "auto.offset.reset": "error",
          "check.crcs": True, "enable.partition.eof": True, "fetch.wait.max.ms": 50, "log_level": 0}
consumer = Consumer(config | dict(key.split("=", 1) for key in keys))

stopped = threading.Event()
threading.Thread(target=lambda: (sys.stdin.buffer.read(), stopped.set()), daemon=True).start()


def fault(message):
    """What is wrong with a record, if anything."""
    try:
        producer, partition, sequence, padding = message.value().decode().split(":")
        sequence = int(sequence)
    except ValueError:
        return f"no record of ours: {message.value()!r}"
    if message.key() != f"{producer}-{sequence % KEYS}".encode() or partition != "0":
        return f"key {message.key()!r} with value {message.value()!r}"
    if padding != "x" * (sequence * 7919 % PADDING_MAX):
        return f"garbled: {message.value()!r}"
    return None


def stretch(topic):
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)
    start = random.randint(max(0, low - 50), max(low, high))
    consumer.assign([TopicPartition(topic, 0, start)])
    last = start - 1
    for message in consumer.consume(STRETCH, timeout=0.2):
        if message.error():
            if message.error().code() not in EXPECTED:
                return f"from {start}: {message.error()}"
            continue
        if message.offset() <= last:
            return f"offset {message.offset()} after {last}"
        last = message.offset()
        if problem := fault(message):
            return f"offset {last}: {problem}"
    return None


number = 0
while not stopped.is_set():
    for topic in topics.split(","):
        number += 1
        try:
            problem = stretch(topic)
        except KafkaException as error:
            problem = str(error)
        print(f"fail 0 {number} {problem}" if problem else f"0 {number} 0", flush=True)
    time.sleep(1 / float(rate))
