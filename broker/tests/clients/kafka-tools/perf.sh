# kafka-producer-perf-test with every codec, read back by one kafka-consumer-perf-test; kafka-get-offsets for the four
# ways to ask for an offset.
# shellcheck shell=bash

perf_topic=$topic-perf
perf_records=20000

perf_produce() {
  local acks=$1 codec=$2
  tool producer-perf-test --topic "$perf_topic" --num-records "$perf_records" --record-size 300 --throughput -1 \
    --command-property "compression.type=$codec" "acks=$acks"
  has "$perf_records records sent" "$out"
}

perf_consume() {
  local records=$((perf_records * 5)) consumed
  tool consumer-perf-test --topic "$perf_topic" --num-records "$records" --timeout 30000
  consumed=$(tail -1 "$out" | cut -d, -f5 | tr -d ' ')
  ((consumed >= records)) || { cat "$out"; return 1; }
}

offsets_ends() {
  tool get-offsets --topic "$perf_topic" --time earliest
  same "$perf_topic:0:0" "$(<"$out")"
  tool get-offsets --topic "$perf_topic" --time latest
  same "$perf_topic:0:$((perf_records * 5))" "$(<"$out")"
}

# Three records with timestamps a second apart: the oldest at or after a time, the largest timestamp, none in the future.
offsets_by_time() {
  local timed=$topic-timed
  tool topics --create --topic "$timed" --partitions 1
  tool verifiable-producer --topic "$timed" --max-messages 3 --message-create-time 1700000000000
  tool get-offsets --topic "$timed" --time 1700000000001
  same "$timed:0:1" "$(<"$out")"
  tool get-offsets --topic "$timed" --time max-timestamp
  same "$timed:0:2" "$(<"$out")"
  tool get-offsets --topic "$timed" --time 1800000000000
  lacks "$timed" "$out"
}

tool topics --create --topic "$perf_topic" --partitions 1
check "producer-perf-test, uncompressed, acks=1" perf_produce 1 none
for codec in gzip snappy lz4 zstd; do
  check "producer-perf-test, $codec, acks=all" perf_produce all "$codec"
done
check "consumer-perf-test reads all five" perf_consume
check "earliest and latest offsets" offsets_ends
check "offsets by time and of the largest timestamp" offsets_by_time
