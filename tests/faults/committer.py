"""committer.py BOOTSTRAP TOPIC PARTITIONS GROUP RATE [KEY=VALUE ...]: commits the offsets 1, 2, 3 … of partition 0 for a
group, at most RATE a second, until its input ends. Prints `0 N N` for each commit that was acknowledged."""
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

bootstrap, topic, _, group, rate, *keys = sys.argv[1:]
config = {"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False, "log_level": 0}
consumer = Consumer(config | dict(key.split("=", 1) for key in keys))

stopped = threading.Event()
threading.Thread(target=lambda: (sys.stdin.buffer.read(), stopped.set()), daemon=True).start()

offset = 0
while not stopped.is_set():
    offset += 1
    try:
        for answer in consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False):
            if answer.error is None:
                print(0, offset, offset, flush=True)
    except KafkaException:
        # The broker is away; what was not acknowledged was not promised.
        pass
    time.sleep(1 / float(rate))
