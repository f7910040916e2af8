# kafka-console-producer and kafka-console-consumer: keys, headers, timestamps, from the beginning, and with a group
# that resumes where it stopped.
# shellcheck shell=bash

console_round_trip() {
  printf 'h1:v1,h2:v2\tk1\thello\nh1:x\tk2\tworld wide\n' >"$work/lines"
  tool console-producer --topic "$topic" --reader-property parse.key=true --reader-property parse.headers=true \
    --command-property acks=all <"$work/lines"
  tool console-consumer --topic "$topic" --from-beginning --max-messages 2 --timeout-ms 20000 \
    --formatter-property print.key=true --formatter-property print.headers=true \
    --formatter-property print.timestamp=true
  has $'\th1:v1,h2:v2\tk1\thello' "$out"
  has $'\th1:x\tk2\tworld wide' "$out"
  count 2 "CreateTime:1" "$out"
}

# The first run of the group takes both records and commits; the second sees only what came after.
console_group_resumes() {
  tool console-consumer --topic "$topic" --group "$group" --from-beginning --max-messages 2 --timeout-ms 20000
  has "hello" "$out"
  echo "after the commit" >"$work/lines"
  tool console-producer --topic "$topic" <"$work/lines"
  tool console-consumer --topic "$topic" --group "$group" --max-messages 1 --timeout-ms 20000
  has "after the commit" "$out"
  lacks "hello" "$out"
}

check "keys, headers and values come back" console_round_trip
check "a group resumes where it stopped" console_group_resumes
