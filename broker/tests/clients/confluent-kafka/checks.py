"""A current librdkafka against a broker: `checks.py HOST:PORT RUN_ID CHECK` runs one check, `checks.py --list` names them."""
import sys
import time

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType)

DEADLINE_S = 30


class Broker:
    """The broker under test, and topic names that no earlier run has used."""

    def __init__(self, address, run_id):
        self.config = {"bootstrap.servers": address}
        self.admin = AdminClient(self.config)
        self.run_id = run_id

    def name(self, name):
        return f"librdkafka-{name}-{self.run_id}"

    def topic(self, name, partitions=1, **config):
        topic = self.name(name)
        config = {key.replace("_", "."): str(value) for key, value in config.items()}
        self.admin.create_topics([NewTopic(topic, partitions, 1, config=config)])[topic].result(DEADLINE_S)
        return topic

    def produce(self, topic, records, **config):
        """Key and value of each; answers the offsets, in order of delivery."""
        offsets = []

        def delivered(error, message):
            assert error is None, error
            offsets.append(message.offset())

        producer = Producer({**self.config, **config})
        for key, value in records:
            producer.produce(topic, value, key, on_delivery=delivered)
            producer.poll(0)
        assert producer.flush(DEADLINE_S) == 0
        return offsets

    def consumer(self, group, **config):
        return Consumer({**self.config, "group.id": self.name(group), "auto.offset.reset": "earliest", **config})

    def alter(self, topic, key, value):
        entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        self.admin.incremental_alter_configs([resource])[resource].result(DEADLINE_S)


def same(expected, actual):
    assert expected == actual, f"\nexpected {expected!r}\nfound    {actual!r}"


def read(consumer, is_enough):
    """Records until `is_enough` of them, or fewer at the deadline (the caller compares). No error is passed over."""
    records, deadline = [], time.monotonic() + DEADLINE_S
    while not is_enough(records) and time.monotonic() < deadline:
        message = consumer.poll(0.2)
        if message is None:
            continue
        assert message.error() is None, message.error()
        records.append(message)
    return records


def all_topics_are_listed(broker):
    topic = broker.topic("listed", partitions=3)
    for client in (broker.admin, Producer(broker.config)):
        same([0, 1, 2], sorted(client.list_topics(timeout=DEADLINE_S).topics[topic].partitions))


def a_pattern_is_subscribed_to(broker):
    topics = [broker.topic(f"pattern-{n}") for n in range(2)]
    for topic in topics:
        broker.produce(topic, [(b"", topic.encode())])
    consumer = broker.consumer("pattern", **{"topic.metadata.refresh.interval.ms": 500})
    consumer.subscribe([f"^librdkafka-pattern-.*-{broker.run_id}"])
    records = read(consumer, lambda records: len(records) == 2)
    consumer.close()
    same(topics, sorted(record.topic() for record in records))


def an_idempotent_producer_and_a_group(broker):
    topic = broker.topic("group", partitions=4)
    records = [(str(n).encode(), b"x" * (n % 500)) for n in range(2000)]
    broker.produce(topic, records, **{"enable.idempotence": True, "linger.ms": 2, "compression.type": "zstd"})
    first, second = (broker.consumer("group", **{"enable.auto.commit": False}) for _ in range(2))
    first.subscribe([topic])
    found = read(first, lambda records: len(records) == 1000)
    first.commit(asynchronous=False)
    first.close()
    second.subscribe([topic])
    found += read(second, lambda records: len(records) == 1000)
    second.close()
    same(sorted(key for key, _ in records), sorted(record.key() for record in found))


def offsets_by_time_and_the_start(broker):
    topic = broker.topic("times")
    producer = Producer(broker.config)
    for n in range(10):
        producer.produce(topic, str(n), timestamp=1_700_000_000_000 + 1000 * n)
        same(0, producer.flush(DEADLINE_S))
    consumer = broker.consumer("times")
    (found,) = consumer.offsets_for_times([TopicPartition(topic, 0, 1_700_000_004_500)], timeout=DEADLINE_S)
    same(5, found.offset)
    deleted = broker.admin.delete_records([TopicPartition(topic, 0, 7)])
    same([7], [future.result(DEADLINE_S).low_watermark for future in deleted.values()])
    same((7, 10), consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=DEADLINE_S))
    consumer.close()


def a_topic_that_was_compacted(broker):
    """Segments of which no record is left: a consumer meets no error, and finds the last value of every key."""
    small = 1 << 20
    topic = broker.topic("compacted", cleanup_policy="delete", segment_bytes=small, min_cleanable_dirty_ratio=0.01)
    value, count = b"v" * 1000, 30_000
    broker.produce(topic, ((str(n % 5).encode(), str(n).encode() + value) for n in range(count)), **{
        "linger.ms": 5, "queue.buffering.max.messages": count, "queue.buffering.max.kbytes": 1 << 20})
    broker.alter(topic, "cleanup.policy", "compact")
    deadline = time.monotonic() + DEADLINE_S
    while True:
        consumer = broker.consumer(f"compacted-{time.monotonic_ns()}")
        consumer.subscribe([topic])
        records = read(consumer, lambda records: records and records[-1].offset() == count - 1)
        consumer.close()
        same(count - 1, records[-1].offset())
        if len(records) < count // 10:
            break
        assert time.monotonic() < deadline, f"{len(records)} records are left"
    last = {record.key(): record.value() for record in records}
    same({str(n % 5).encode(): str(n).encode() + value for n in range(count - 5, count)}, last)


def what_is_refused(broker):
    topic = broker.topic("refused", max_message_bytes=1000)
    errors = []
    producer = Producer(broker.config)
    producer.produce(topic, b"x" * 2000, on_delivery=lambda error, _: errors.append(error.code()))
    producer.flush(DEADLINE_S)
    same([KafkaError.MSG_SIZE_TOO_LARGE], errors)


CHECKS = [
    all_topics_are_listed,
    a_pattern_is_subscribed_to,
    an_idempotent_producer_and_a_group,
    offsets_by_time_and_the_start,
    a_topic_that_was_compacted,
    what_is_refused,
]

if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        print("\n".join(check.__name__ for check in CHECKS))
    else:
        address, run_id, name = sys.argv[1:]
        next(check for check in CHECKS if check.__name__ == name)(Broker(address, run_id))
