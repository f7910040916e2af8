# kafka-dump-log on the files of the stopped broker: segments with each codec, both indexes, producer snapshots. It ends
# the broker, so it comes last, and needs one of its own.
# shellcheck shell=bash

# dump FILE ARGS ...: what dump-log says of it, in $out.
dump() {
  local file=$1
  shift
  timeout 60 "$stock_kafka" tool dump-log --files "$file" "$@" >"$out" 2>&1
  lacks "Exception" "$out"
}

# The topic `rolled` gets a segment from each producer, and with the second a snapshot of what the first one sent.
dump_produce() {
  local codec turn
  seq 400 | sed 's/.*/key&:value number &, long enough that a batch of these is soon full/' >"$work/lines"
  for codec in none gzip snappy lz4 zstd; do
    tool topics --create --topic "$topic-$codec" --config index.interval.bytes=500
    tool console-producer --topic "$topic-$codec" --reader-property parse.key=true --reader-property key.separator=: \
      --compression-codec "$codec" --batch-size 1000 --command-property enable.idempotence=true <"$work/lines"
  done
  tool topics --create --topic "$topic-rolled" --config segment.ms=1
  for turn in first second; do
    tool console-producer --topic "$topic-rolled" --command-property enable.idempotence=true <<<"$turn"
  done
}

# Every record of every segment, decompressed, with the codec and the CRC that were written.
dump_segments() {
  local codec=$1 log records=0
  for log in "$work/data/$topic-$codec-0"/*.log; do
    dump "$log" --deep-iteration --print-data-log
    lacks "isvalid: false" "$out"
    has "compresscodec: $codec" "$out"
    records=$((records + $(grep -c "payload: value number" "$out")))
  done
  same 400 "$records"
}

# dump-log looks up what each entry says in the log beside it.
dump_indexes() {
  local codec=$1 index entries=0
  for index in "$work/data/$topic-$codec-0"/*.index "$work/data/$topic-$codec-0"/*.timeindex; do
    dump "$index" --verify-index-only
    lacks "Mismatches" "$out"
    lacks "Found" "$out"
    dump "$index" --index-sanity-check
    has "passed sanity check" "$out"
    dump "$index"
    entries=$((entries + $(grep -cE "^(offset|timestamp): [1-9]" "$out" || true)))
  done
  ((entries > 2)) || { echo "only $entries entries"; return 1; }
}

dump_snapshots() {
  local snapshot
  for snapshot in "$work/data/$topic-rolled-0"/*.snapshot; do
    dump "$snapshot"
    has "producerId: " "$out"
    has "lastOffset: " "$out"
  done
}

if [[ -n $broker_pid ]]; then
  check "produce with each codec" dump_produce
  stop_broker
  for codec in none gzip snappy lz4 zstd; do
    check "dump-log reads the segments with codec $codec" dump_segments "$codec"
    check "dump-log finds the indexes with codec $codec in order" dump_indexes "$codec"
  done
  check "dump-log reads the producer snapshots" dump_snapshots
fi
