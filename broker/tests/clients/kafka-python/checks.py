"""kafka-python against a broker: `checks.py HOST:PORT RUN_ID CHECK` runs one check, `checks.py --list` names them."""
import hashlib
import logging
import random
import sys
import threading
import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition, errors
from kafka.structs import OffsetAndMetadata

CODECS = [None, "gzip", "snappy", "lz4", "zstd"]
DEADLINE_S = 30
POLL_MS = 1000


class Broker:
    """The broker under test, and topic names that no earlier run has used."""

    def __init__(self, address, run_id):
        self.address = address
        self.run_id = run_id

    def topic(self, name, partitions=1):
        topic = f"python-{name}-{self.run_id}"
        with_admin(self, lambda admin: admin.create_topics(
            {topic: {"num_partitions": partitions, "replication_factor": 1}}, wait_for_metadata=True))
        return topic

    def producer(self, **config):
        return KafkaProducer(bootstrap_servers=self.address, **config)

    def consumer(self, *topics, **config):
        config.setdefault("auto_offset_reset", "earliest")
        return KafkaConsumer(*topics, bootstrap_servers=self.address, **config)

    def group_consumer(self, topic, group, **config):
        # kafka-python 3.0.12 can hang, with Kafka too, when new metadata makes it join again while it joins, or when a poll
        # ends in the middle of joining (the answer with its assignment has come, and is not looked at): so metadata first,
        # and polls of POLL_MS.
        consumer = self.consumer(group_id=group, **config)
        wait_until("the metadata is there", lambda: consumer.partitions_for_topic(topic))
        consumer.subscribe([topic])
        return consumer


def with_admin(broker, use):
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    try:
        return use(admin)
    finally:
        admin.close()


def same(expected, actual):
    assert expected == actual, f"\nexpected {expected!r}\nfound    {actual!r}"


def raises(error, use):
    try:
        use()
    except error:
        return
    raise AssertionError(f"expected {error.__name__}, but there was no error")


def read(consumer, count):
    """The next `count` records, or fewer at the deadline (the caller compares)."""
    records, deadline = [], time.monotonic() + DEADLINE_S
    while len(records) < count and time.monotonic() < deadline:
        for batch in consumer.poll(timeout_ms=POLL_MS, max_records=count - len(records)).values():
            records.extend(batch)
    return records


def admin_topics(broker):
    topic = broker.topic("admin", partitions=2)

    def use(admin):
        assert topic in admin.list_topics()
        raises(errors.TopicAlreadyExistsError, lambda: admin.create_topics([topic]))
        raises(errors.InvalidPartitionsError, lambda: admin.create_topics({topic + "-0": {"num_partitions": 0}}))
        raises(errors.InvalidTopicError, lambda: admin.create_topics(["no/slash"]))
        raises(errors.InvalidReplicationFactorError, lambda: admin.create_topics(
            {topic + "-3": {"num_partitions": 1, "replication_factor": 3}}))
        admin.create_topics([topic + "-dry"], validate_only=True)
        assert topic + "-dry" not in admin.list_topics()
        admin.create_partitions({topic: 4})
        (described,) = admin.describe_topics([topic])
        same([0, 1, 2, 3], sorted(p["partition_index"] for p in described["partitions"]))
        admin.delete_topics([topic])
        assert topic not in admin.list_topics()
        raises(errors.UnknownTopicOrPartitionError, lambda: admin.delete_topics([topic]))

    with_admin(broker, use)


def produce_and_consume_every_codec(broker):
    generator = random.Random(7)
    for codec in CODECS:
        topic = broker.topic(f"codec-{codec}")
        values = [generator.randbytes(generator.randrange(2000)) * generator.randrange(1, 20) for _ in range(300)]
        producer = broker.producer(compression_type=codec, linger_ms=5)
        for value in values:
            producer.send(topic, value)
        producer.close()
        consumer = broker.consumer(topic)
        records = read(consumer, len(values))
        consumer.close()
        same(list(range(len(values))), [r.offset for r in records])
        same([hashlib.sha256(v).hexdigest() for v in values], [hashlib.sha256(r.value).hexdigest() for r in records])


def acknowledgement_modes(broker):
    topic = broker.topic("acks")
    for acks in (0, 1, "all"):
        producer = broker.producer(acks=acks, enable_idempotence=False)
        metadata = producer.send(topic, f"acks {acks}".encode()).get(DEADLINE_S)
        assert acks == 0 or metadata.offset >= 0
        producer.close()
    consumer = broker.consumer(topic)
    same({b"acks 0", b"acks 1", b"acks all"}, {r.value for r in read(consumer, 3)})
    consumer.close()


def keys_headers_and_timestamps(broker):
    topic = broker.topic("headers")
    producer = broker.producer()
    headers = [("one", b"1"), ("one", b"again"), ("empty", b"")]
    metadata = producer.send(topic, b"value", key=b"key", headers=headers, timestamp_ms=1_700_000_000_123)
    same(0, metadata.get(DEADLINE_S).offset)
    producer.send(topic, None, key=b"tombstone")
    producer.send(topic, b"")
    producer.close()
    consumer = broker.consumer(topic)
    first, tombstone, empty = read(consumer, 3)
    consumer.close()
    same((b"key", b"value", headers), (first.key, first.value, list(first.headers)))
    same((0, 1_700_000_000_123), (first.timestamp_type, first.timestamp))
    same((b"tombstone", None), (tombstone.key, tombstone.value))
    same((None, b""), (empty.key, empty.value))


def offsets_and_timestamps(broker):
    topic = broker.topic("offsets")
    partition = TopicPartition(topic, 0)
    producer = broker.producer()
    for i in range(100):
        producer.send(topic, b"%d" % i, timestamp_ms=1_700_000_000_000 + i * 1000)
    producer.close()
    consumer = broker.consumer()
    consumer.assign([partition])
    same({partition: 0}, consumer.beginning_offsets([partition]))
    same({partition: 100}, consumer.end_offsets([partition]))
    found = consumer.offsets_for_times({partition: 1_700_000_041_500})[partition]
    same((42, 1_700_000_042_000), (found.offset, found.timestamp))
    same(None, consumer.offsets_for_times({partition: 1_800_000_000_000})[partition])
    consumer.seek(partition, 97)
    same([b"97", b"98", b"99"], [r.value for r in read(consumer, 3)])
    consumer.seek(partition, 1_000_000)  # out of range: back to the earliest, as auto_offset_reset says
    same([b"0"], [r.value for r in read(consumer, 1)])
    consumer.close()


class Member(threading.Thread):
    """One consumer of a group, polling on a thread of its own until told to stop."""

    def __init__(self, broker, topic, group):
        super().__init__(daemon=True)
        self.consumer = broker.group_consumer(
            topic, group, auto_commit_interval_ms=100, heartbeat_interval_ms=200, session_timeout_ms=10_000)
        self.assigned, self.records, self.stopping = set(), [], threading.Event()

    def run(self):
        while not self.stopping.is_set():
            for batch in self.consumer.poll(timeout_ms=POLL_MS).values():
                self.records.extend((r.partition, r.offset, r.value) for r in batch)
            self.assigned = {p.partition for p in self.consumer.assignment()}
        self.consumer.close()

    def stop(self):
        self.stopping.set()
        self.join(DEADLINE_S)


def wait_until(what, condition):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"gave up waiting until {what}"
        time.sleep(0.01)  # a poll of the condition with a deadline


def group_of_two_rebalances(broker):
    topic, group = broker.topic("group", partitions=4), f"python-{broker.run_id}"
    first = Member(broker, topic, group)
    first.start()
    wait_until("one member has it all", lambda: first.assigned == {0, 1, 2, 3})
    second = Member(broker, topic, group)
    second.start()
    wait_until("two members share", lambda: len(first.assigned) == 2 == len(second.assigned)
               and not first.assigned & second.assigned)
    wait_until("the group is stable", lambda: with_admin(broker, lambda admin: is_stable(admin, group, members=2)))
    producer = broker.producer()
    for i in range(200):
        producer.send(topic, b"%d" % i, partition=i % 4)
    producer.close()
    # At least once: without commits in between, one more rebalance may read a record again.
    wait_until("both together have read it all", lambda: {int(v) for _, _, v in first.records + second.records}
               == set(range(200)))
    assert first.records and second.records
    first.stop()
    wait_until("the one left has it all again", lambda: second.assigned == {0, 1, 2, 3})
    end = {TopicPartition(topic, p): 50 for p in range(4)}
    wait_until("all is committed", lambda: with_admin(broker, lambda admin: committed(admin, group)) == end)
    second.stop()
    with_admin(broker, lambda admin: group_is_listed_and_deleted(admin, group))


def is_stable(admin, group, members):
    described = admin.describe_groups([group])[group]
    return (str(described["group_state"]), len(described["members"])) == ("Stable", members)


def committed(admin, group):
    return {partition: offset.offset for partition, offset in admin.list_group_offsets(group)[group].items()}


def group_is_listed_and_deleted(admin, group):
    assert group in [g["group_id"] for g in admin.list_groups()]
    same({group: "OK"}, admin.delete_groups([group]))


def commit_and_resume(broker):
    topic, group = broker.topic("resume"), f"python-resume-{broker.run_id}"
    producer = broker.producer()
    for i in range(20):
        producer.send(topic, b"%d" % i)
    producer.close()
    partition = TopicPartition(topic, 0)
    consumer = broker.group_consumer(topic, group, enable_auto_commit=False)
    same(5, len(read(consumer, 5)))
    consumer.commit({partition: OffsetAndMetadata(5, "a note", -1)})
    same(5, consumer.committed(partition))
    consumer.close()
    consumer = broker.group_consumer(topic, group, enable_auto_commit=False)
    same(b"5", read(consumer, 1)[0].value)
    same("a note", consumer.committed(partition, metadata=True).metadata)
    consumer.close()


def idempotent_producer(broker):
    topic = broker.topic("idempotent")
    producer = broker.producer(enable_idempotence=True, acks="all", batch_size=500)
    futures = [producer.send(topic, b"%d" % i) for i in range(2000)]
    same(list(range(2000)), [f.get(DEADLINE_S).offset for f in futures])
    producer.close()
    consumer = broker.consumer(topic)
    same([b"%d" % i for i in range(2000)], [r.value for r in read(consumer, 2000)])
    consumer.close()


def topic_created_on_first_use(broker):
    topic = f"python-auto-{broker.run_id}"
    producer = broker.producer()
    same(0, producer.send(topic, b"first").get(DEADLINE_S).offset)
    producer.close()


CHECKS = {f.__name__: f for f in (
    admin_topics, produce_and_consume_every_codec, acknowledgement_modes, keys_headers_and_timestamps,
    offsets_and_timestamps, commit_and_resume, group_of_two_rebalances, idempotent_producer,
    topic_created_on_first_use)}

if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        print("\n".join(CHECKS))
    else:
        address, run_id, name = sys.argv[1:]
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(threadName)s %(message)s")
        CHECKS[name](Broker(address, run_id))
