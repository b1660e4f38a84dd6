"""BOOTSTRAP TOPIC GROUP MEMBERS: members of librdkafka, a thread each. Prints the lines that scripts/torture/coordinators/member-line.ts describes, and ends with its standard input."""
import os
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

bootstrap, topic, group, members = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
COMMIT_EVERY_S = 0.1
TRANSIENT = (
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError._RESOLVE,
    KafkaError._WAIT_COORD,
    KafkaError._TIMED_OUT_QUEUE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.REQUEST_TIMED_OUT,
)
lock = threading.Lock()


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


def member(nth):
    following = {}

    def on_assign(consumer, partitions):
        line("g", now(), nth, ",".join(str(each.partition) for each in partitions))

    def on_revoke(consumer, partitions):
        following.clear()
        line("v", now(), nth, "revoked")

    def on_lost(consumer, partitions):
        following.clear()
        line("v", now(), nth, "lost")

    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "client.id": "librdkafka-%d" % nth,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 120_000,
            "socket.timeout.ms": 10_000,
            "reconnect.backoff.max.ms": 1000,
            "log_level": 0,
        }
    )
    consumer.subscribe([topic], on_assign=on_assign, on_revoke=on_revoke, on_lost=on_lost)
    committed_at = 0.0
    while True:
        message = consumer.poll(0.05)
        if message is not None:
            error = message.error()
            if error is None:
                line("r", nth, message.partition(), message.offset())
                following[message.partition()] = message.offset() + 1
            else:
                line("?" if error.code() in TRANSIENT or error.retriable() else "!", error.str())
        if not following or time.monotonic() - committed_at < COMMIT_EVERY_S:
            continue
        committed_at = time.monotonic()
        offsets = [TopicPartition(topic, partition, offset) for partition, offset in following.items()]
        try:
            for each in consumer.commit(offsets=offsets, asynchronous=False):
                if each.error is not None:
                    raise KafkaException(each.error)
            line("c", now(), nth, -1, ",".join("%d:%d" % (each.partition, each.offset) for each in offsets))
        except KafkaException as cause:
            error = cause.args[0]
            if error.code() in TRANSIENT or error.retriable():
                line("e", now(), nth, error.name())
            else:
                line("!", "a commit failed: " + error.name() + " " + error.str())


threading.Thread(target=flushing, daemon=True).start()
for nth in range(members):
    threading.Thread(target=member, args=(nth,), daemon=True).start()
sys.stdin.read()
os._exit(0)
