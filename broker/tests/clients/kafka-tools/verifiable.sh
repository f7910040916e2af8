# kafka-verifiable-producer and kafka-verifiable-consumer, on a topic that the broker creates on first use.
# shellcheck shell=bash

verifiable_topic=$topic-verifiable

verifiable_produce() {
  tool verifiable-producer --topic "$verifiable_topic" --max-messages 200 --acks -1 --repeating-keys 7
  count 200 '"name":"producer_send_success"' "$out"
  has '"sent":200,"acked":200' "$out"
}

verifiable_consume() {
  tool verifiable-consumer --topic "$verifiable_topic" --group-id "$group-verifiable" --max-messages 200 --verbose
  count 200 '"name":"record_data"' "$out"
  has '"name":"offsets_committed"' "$out"
  has '"success":true' "$out"
  local offset
  for offset in 0 99 199; do
    has "\"value\":\"$offset\"" "$out"
  done
}

check "verifiable producer, on a topic created on first use" verifiable_produce
check "verifiable consumer" verifiable_consume
