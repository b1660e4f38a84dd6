"""ADDRESS TOPIC PER_SECOND SECONDS ACKS: librdkafka's own latency, from produce() in one process until poll() gave the message in another. Prints JSON, ms."""
import json
import os
import struct
import sys
import time

address, topic, per_second, seconds, acks = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5]
total = max(1, int(per_second * seconds))
# What is not there after this long counts with its age: the broker is saturated.
patience = 10.0


def consume(ready):
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": address, "group.id": "franz-bench", "enable.auto.commit": False})
    _, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)
    consumer.assign([TopicPartition(topic, 0, high)])
    os.write(ready, b"r")
    waits = []
    deadline = time.monotonic() + seconds + patience
    while len(waits) < total and time.monotonic() < deadline:
        message = consumer.poll(0.1)
        if message is None:
            continue
        if message.error():
            sys.exit(str(message.error()))
        waits.append(time.monotonic_ns() - struct.unpack("q", message.value()[:8])[0])
    waits += [int((seconds + patience) * 1e9)] * (total - len(waits))
    waits.sort()
    print(json.dumps({"p50": waits[len(waits) // 2] / 1e6, "p99": waits[min(len(waits) - 1, len(waits) * 99 // 100)] / 1e6, "messages": total}))
    sys.stdout.flush()
    os._exit(0)


def produce():
    from confluent_kafka import Producer

    failed = []
    producer = Producer({"bootstrap.servers": address, "acks": acks, "linger.ms": 0, "queue.buffering.max.messages": 1000000})
    producer.list_topics(topic, timeout=30)
    rest = b"x" * 92
    started = time.monotonic()
    sent = 0
    while sent < total:
        due = min(total, int((time.monotonic() - started) * per_second))
        while sent < due:
            producer.produce(topic, struct.pack("q", time.monotonic_ns()) + rest, partition=0, on_delivery=lambda error, _: failed.append(error) if error else None)
            sent += 1
        producer.poll(0)
        time.sleep(0.0002)
    left = producer.flush(30)
    if left or failed:
        sys.exit(f"{left} messages left, failed: {failed[:3]}")


reading, writing = os.pipe()
child = os.fork()
if child == 0:
    consume(writing)
os.close(writing)
if os.read(reading, 1) != b"r":
    sys.exit("the consumer did not begin")
produce()
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
