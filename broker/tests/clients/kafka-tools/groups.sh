# kafka-consumer-groups: the group that the console consumer left behind is listed, described, reset and deleted.
# shellcheck shell=bash

group_list() {
  tool consumer-groups --list
  has "$group" "$out"
}

# Lag: three records were produced to the topic and all three were consumed.
group_describe() {
  tool consumer-groups --describe --group "$group"
  has "has no active members" "$out"
  same "5 partitions, 3 records, lag 0" "$(awk -v g="$group" \
    '$1 == g { n++; o += $4; lag += $6 } END { printf "%d partitions, %d records, lag %d", n, o, lag }' "$out")"
}

group_reset() {
  tool consumer-groups --group "$group" --topic "$topic" --reset-offsets --to-earliest --execute
  tool consumer-groups --describe --group "$group"
  same "lag 3" "$(awk -v g="$group" '$1 == g { lag += $6 } END { printf "lag %d", lag }' "$out")"
}

group_delete() {
  tool consumer-groups --delete --group "$group"
  has "Deletion of requested consumer groups ('$group') was successful." "$out"
  tool consumer-groups --delete --group "$group" || true
  has "GroupIdNotFoundException" "$out"
}

check "list groups" group_list
check "describe a group" group_describe
check "reset a group's offsets" group_reset
check "delete a group" group_delete
