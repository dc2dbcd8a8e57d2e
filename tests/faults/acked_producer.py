"""acked_producer.py BOOTSTRAP TOPIC PARTITIONS NAME RATE [KEY=VALUE ...]: librdkafka's twin of
client/examples/acked_producer.rs. Sends NAME:PARTITION:SEQUENCE:padding until its input ends and prints
`PARTITION SEQUENCE OFFSET` or `fail PARTITION SEQUENCE why` for each record."""
import sys
import threading
import time

from confluent_kafka import Producer

IN_FLIGHT_MAX = 500
PADDING_MAX = 200
KEYS = 100

bootstrap, topic, partitions, name, rate, *keys = sys.argv[1:]
partitions, rate = int(partitions), float(rate)
# A broker that is being killed is no news.
config = {"bootstrap.servers": bootstrap, "log_level": 0} | dict(key.split("=", 1) for key in keys)
producer = Producer(config)

stopped = threading.Event()
threading.Thread(target=lambda: (sys.stdin.buffer.read(), stopped.set()), daemon=True).start()


def teller(partition, sequence):
    def tell(error, message):
        if error is None:
            line = f"{partition} {sequence} {message.offset()}"
        else:
            line = f"fail {partition} {sequence} {error}"
        print(line, flush=True)
    return tell


started, sent = time.monotonic(), 0
while not stopped.is_set():
    wait = started + sent / rate - time.monotonic()
    producer.poll(max(0, wait))
    if wait > 0:
        continue
    if len(producer) >= IN_FLIGHT_MAX:
        producer.poll(0.01)
        continue
    partition, sequence = sent % partitions, sent // partitions
    value = f"{name}:{partition}:{sequence}:" + "x" * (sequence * 7919 % PADDING_MAX)
    key = f"{name}-{sequence % KEYS}"
    producer.produce(topic, value.encode(), key.encode(), partition, on_delivery=teller(partition, sequence))
    sent += 1
producer.flush()
