# kafka-topics: create, list, describe, more partitions, delete, and what it says when the broker refuses.
# shellcheck shell=bash

topic_create() {
  tool topics --create --topic "$topic" --partitions 3 --replication-factor 1 --config segment.ms=3600000
  has "Created topic $topic." "$out"
}

topic_list() {
  tool topics --list
  has "$topic" "$out"
}

topic_describe() {
  tool topics --describe --topic "$topic"
  has "PartitionCount: 3" "$out"
  has "ReplicationFactor: 1" "$out"
  has "segment.ms=3600000" "$out"
  # Every partition has its leader as the one replica, and that one in sync.
  [[ $(grep -cP 'Partition: [0-2]\tLeader: (\d+)\tReplicas: \1\tIsr: \1\t' "$out") == 3 ]] || { cat "$out"; return 1; }
}

topic_more_partitions() {
  tool topics --alter --topic "$topic" --partitions 5
  refuses tool topics --alter --topic "$topic" --partitions 4
  has "currently has 5 partition(s); 4 would not be an increase" "$out"
}

topic_exists() {
  refuses tool topics --create --topic "$topic"
  has "Topic '$topic' already exists." "$out"
}

topic_bad_name() {
  refuses tool topics --create --topic "bad name!"
  has "InvalidTopicException" "$out"
  has "contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'" "$out"
}

topic_too_many_replicas() {
  refuses tool topics --create --topic "$topic-3" --replication-factor 3
  has "InvalidReplicationFactorException" "$out"
  has "only 1 broker(s) are registered" "$out"
}

topic_no_partitions() {
  refuses tool topics --create --topic "$topic-0" --partitions 0
  has "partitions must be greater than 0" "$out"
}

topic_unknown() {
  refuses tool topics --describe --topic "$topic-unknown"
  has "does not exist as expected" "$out"
}

topic_delete() {
  tool topics --create --topic "$topic-gone"
  tool topics --delete --topic "$topic-gone"
  tool topics --list
  lacks "$topic-gone" "$out"
}

check "create a topic" topic_create
check "list topics" topic_list
check "describe a topic" topic_describe
check "add partitions, but take none away" topic_more_partitions
check "refuse a topic that exists" topic_exists
check "refuse a bad topic name" topic_bad_name
check "refuse more replicas than brokers" topic_too_many_replicas
check "refuse a topic without partitions" topic_no_partitions
check "say that a topic is unknown" topic_unknown
check "delete a topic" topic_delete
