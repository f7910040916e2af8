# kafka-delete-records, the settings of retention as kafka-configs shows and changes them, and kafka-log-dirs.
# shellcheck shell=bash

records_settings() {
  tool topics --create --topic "$topic-kept" --partitions 1 --config retention.ms=120000
  tool configs --entity-type topics --entity-name "$topic-kept" --describe --all
  has "retention.ms=120000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=120000" "$out"
  has "cleanup.policy=delete" "$out"
  has "retention.bytes=-1 sensitive=false synonyms={DEFAULT_CONFIG:log.retention.bytes=-1}" "$out"
  has "message.timestamp.after.max.ms=3600000" "$out"
  has "compression.type=producer" "$out"
  tool configs --entity-type topics --entity-name "$topic-kept" --alter --add-config cleanup.policy=[delete],compression.type=zstd
  tool configs --entity-type topics --entity-name "$topic-kept" --describe
  has "compression.type=zstd" "$out"
  has "cleanup.policy=delete" "$out"
}

records_delete() {
  seq 10 | timeout 60 "$stock_kafka" tool console-producer --bootstrap-server "$bootstrap" --topic "$topic-kept" >"$out" 2>&1
  delete_to 4
  has "partition: $topic-kept-0	low_watermark: 4" "$out"
  tool get-offsets --topic "$topic-kept" --time earliest
  has "$topic-kept:0:4" "$out"
  tool console-consumer --topic "$topic-kept" --from-beginning --max-messages 6
  has "5" "$out"
  [[ $(grep -cxE '[1-4]' "$out") == 0 ]] || { cat "$out"; return 1; }
  delete_to 11
  has "OffsetOutOfRangeException" "$out"
  delete_to -1
  has "low_watermark: 10" "$out"
}

delete_to() {
  printf '{"version":1,"partitions":[{"topic":"%s","partition":0,"offset":%d}]}' "$topic-kept" "$1" >"$work/offsets.json"
  # The tool ends with 0 also when a partition was refused.
  tool delete-records --offset-json-file "$work/offsets.json" || true
}

records_log_dirs() {
  tool log-dirs --describe --topic-list "$topic-kept"
  has "Received log directory information from brokers 1" "$out"
  grep -qE "\"partition\":\"$topic-kept-0\",\"size\":[1-9][0-9]*,\"offsetLag\":0,\"isFuture\":false" "$out" || { cat "$out"; return 1; }
  has '"error":null' "$out"
}

check "create a topic with retention; describe and alter its settings" records_settings
check "delete records, and read what is left" records_delete
check "describe the log directories" records_log_dirs
