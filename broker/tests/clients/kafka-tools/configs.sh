# kafka-configs and kafka-broker-api-versions: settings of a topic and of the broker.
# shellcheck shell=bash

config_topic_alter() {
  tool configs --entity-type topics --entity-name "$topic" --alter --add-config max.message.bytes=2000000
  has "Completed updating config for topic $topic." "$out"
  tool configs --entity-type topics --entity-name "$topic" --describe
  has "max.message.bytes=2000000" "$out"
  has "segment.ms=3600000" "$out"
}

config_topic_delete() {
  tool configs --entity-type topics --entity-name "$topic" --alter --delete-config max.message.bytes
  tool configs --entity-type topics --entity-name "$topic" --describe
  lacks "max.message.bytes=2000000" "$out"
  has "segment.ms=3600000" "$out"
}

config_unknown_key() {
  refuses tool configs --entity-type topics --entity-name "$topic" --alter --add-config no.such.key=1
  has "Unknown topic config name: no.such.key" "$out"
}

config_bad_value() {
  refuses tool configs --entity-type topics --entity-name "$topic" --alter --add-config max.message.bytes=frog
  has "InvalidConfigurationException" "$out"
  has "Invalid value frog for configuration max.message.bytes" "$out"
}

config_broker() {
  local id
  tool broker-api-versions
  has "Produce(0): 0 to " "$out"
  id=$(sed -n 's/.*(id: \([0-9]*\) rack.*/\1/p' "$out")
  tool configs --entity-type brokers --entity-name "$id" --alter --add-config message.max.bytes=3000000
  has "Completed updating config for broker $id." "$out"
  tool configs --entity-type brokers --entity-name "$id" --describe
  has "message.max.bytes=3000000" "$out"
  tool configs --entity-type brokers --entity-name "$id" --alter --delete-config message.max.bytes
}

check "alter and describe a topic's settings" config_topic_alter
check "take a topic's setting back" config_topic_delete
check "refuse an unknown key" config_unknown_key
check "refuse a bad value" config_bad_value
check "list the APIs; alter and describe the broker's settings" config_broker
