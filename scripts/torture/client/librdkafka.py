"""BOOTSTRAP TOPIC PARTITIONS PER_SECOND NAME: a producer and a reader of librdkafka. Prints the lines that scripts/torture/client-line.ts describes. "stop" on the standard input ends the sending."""
import os
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

bootstrap, topic, partitions, per_second, name = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5]
OUTSTANDING_MAX = 20_000
PATIENCE_MS = 300_000
lock = threading.Lock()
sends = True


def now():
    return time.time_ns() // 1_000_000


def line(*fields):
    with lock:
        sys.stdout.write("\t".join(str(field) for field in fields) + "\n")


def flushing():
    while True:
        time.sleep(0.02)
        with lock:
            sys.stdout.flush()


def commands():
    global sends
    for text in sys.stdin:
        if text == "stop\n":
            sends = False
    os._exit(0)


def reading():
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "client.id": name + "-reader",
            "group.id": name + "-reader",
            "enable.auto.commit": False,
            # A log that ends before the position is an error, not a reason to begin anew.
            "auto.offset.reset": "error",
            "reconnect.backoff.max.ms": 1000,
            "socket.timeout.ms": 10_000,
            "log_level": 0,
        }
    )
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    transient = (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._RESOLVE)
    while True:
        message = consumer.poll(0.5)
        if message is None:
            continue
        error = message.error()
        if error is None:
            line("r", message.partition(), message.offset(), message.value().decode())
        elif error.code() in transient or error.retriable():
            line("?", error.str())
        else:
            line("!", "the reader failed: " + error.str())


outstanding = 0


def delivered(error, message):
    global outstanding
    outstanding -= 1
    value = message.value().decode()
    if error is None:
        # librdkafka knows no offset where the response to a later batch said that this one is stored.
        offset = message.offset()
        line("a", now(), message.partition(), -1 if offset is None or offset < 0 else offset, value)
    else:
        line("u", now(), value, error.str())


def on_error(error):
    line("!" if error.fatal() else "?", ("fatal: " if error.fatal() else "") + error.str())


def sending():
    global outstanding
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "client.id": name,
            "enable.idempotence": True,
            "acks": "all",
            "message.timeout.ms": PATIENCE_MS,
            "request.timeout.ms": 5000,
            "socket.timeout.ms": 10_000,
            "reconnect.backoff.max.ms": 1000,
            "retry.backoff.ms": 50,
            "retry.backoff.max.ms": 500,
            "error_cb": on_error,
            "log_level": 0,
        }
    )
    start = time.monotonic()
    nth = 0
    while sends:
        due = int((time.monotonic() - start) * per_second)
        while nth < due and outstanding < OUTSTANDING_MAX:
            value = f"{name}/{nth}"
            line("s", now(), nth % partitions, value)
            outstanding += 1
            producer.produce(topic, value.encode(), partition=nth % partitions, on_delivery=delivered)
            nth += 1
        producer.poll(0.005)
    producer.flush()
    line("d")


threading.Thread(target=flushing, daemon=True).start()
threading.Thread(target=commands, daemon=True).start()
threading.Thread(target=reading, daemon=True).start()
sending()
while True:
    time.sleep(3600)
