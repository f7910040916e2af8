# What the foreign-client checks share. Each `clients/<client>/run` sources this file, starts one broker, runs its
# checks, and ends with the line `N passed, N failed` and an exit code to match.
#
#   KAFKA_BOOTSTRAP=host:port   check a broker that already runs (stock Kafka must pass every check too)
#   RINGLANE=path               the broker to start (default: the release build)
#   CLIENTS_CACHE=dir           where downloaded clients are kept (default: ~/.cache/ringlane-clients)
# shellcheck shell=bash
set -euo pipefail

clients=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$clients/../../.." && pwd)
cache=${CLIENTS_CACHE:-$HOME/.cache/ringlane-clients}
work=$(mktemp -d "${TMPDIR:-/tmp}/ringlane-clients.XXXXXX")
# A name no earlier run used, so that a broker which already runs can be checked again and again.
run_id=$(date +%s)-$$
broker_pid=""
bootstrap=""
passed=0
failed=0

finish() {
  local status=$?
  stop_broker
  if ((status != 0)); then
    echo "  FAIL  stopped before the end, exit code $status" >&2
    failed=$((failed + 1))
  fi
  rm -rf "$work"
  printf '%d passed, %d failed\n' "$passed" "$failed"
  ((failed == 0)) || exit 1
}
trap finish EXIT
trap 'exit 130' INT TERM

# start_broker KEY=VALUE ...: start the broker on a free port with these settings; sets `bootstrap`.
start_broker() {
  if [[ -n ${KAFKA_BOOTSTRAP:-} ]]; then
    bootstrap=$KAFKA_BOOTSTRAP
    return
  fi
  local binary=${RINGLANE:-${CARGO_TARGET_DIR:-$root/target}/release/ringlane} arguments=() setting
  for setting in "listeners=PLAINTEXT://127.0.0.1:0" "log.dirs=$work/data" "$@"; do
    arguments+=(--set "$setting")
  done
  : >"$work/broker.out"
  "$binary" start "${arguments[@]}" >"$work/broker.out" 2>"$work/broker.log" &
  broker_pid=$!
  wait_until 10 "the broker is ready" broker_is_ready
}

# The broker prints one line on stdout once it serves requests; with port 0 it is also where the port is found.
broker_is_ready() {
  kill -0 "$broker_pid" 2>/dev/null || { cat "$work/broker.log" >&2; exit 1; }
  bootstrap=$(sed -n 's/^ringlane ready on //p' "$work/broker.out")
  [[ -n $bootstrap ]] && (exec 3<>"/dev/tcp/${bootstrap%:*}/${bootstrap##*:}") 2>/dev/null
}

stop_broker() {
  [[ -n $broker_pid ]] || return 0
  kill "$broker_pid" 2>/dev/null || true
  timeout 10 tail --pid="$broker_pid" -f /dev/null || kill -9 "$broker_pid" 2>/dev/null || true
  wait "$broker_pid" 2>/dev/null || true
  broker_pid=""
}

# wait_until SECONDS WHAT COMMAND ...: poll COMMAND; fail when the deadline passes.
wait_until() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    ((SECONDS < deadline)) || { echo "gave up waiting until $what" >&2; return 1; }
    sleep 0.02
  done
}

# check TITLE COMMAND ...: run one check; its output is shown only when it fails. Call it as a plain statement: in a
# condition, bash would switch off the `set -e` inside it.
check() {
  local title=$1 status=0 began=$EPOCHREALTIME
  shift
  set +e
  (set -e; trap - EXIT; "$@") >"$work/check.log" 2>&1 </dev/null
  status=$?
  set -e
  if ((status == 0)); then
    passed=$((passed + 1))
    printf '  ok    %s (%.1f s)\n' "$title" "$(elapsed "$began")"
    return
  fi
  failed=$((failed + 1))
  printf '  FAIL  %s (%.1f s)\n' "$title" "$(elapsed "$began")"
  sed 's/^/        | /' "$work/check.log" | tail -40
  [[ ! -s $work/broker.log ]] || tail -5 "$work/broker.log" | sed 's/^/        broker | /'
}

elapsed() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }'; }

# has TEXT FILE: FILE holds TEXT, literally; lacks: it does not; count N TEXT FILE: in exactly N lines.
has() { grep -qF -- "$1" "$2" || { echo "expected '$1' in:"; cat "$2"; return 1; }; }
lacks() { ! grep -qF -- "$1" "$2" || { echo "did not expect '$1' in:"; cat "$2"; return 1; }; }
count() {
  local found
  found=$(grep -cF -- "$2" "$3" || true)
  [[ $found == "$1" ]] || { echo "expected $1 lines with '$2', found $found, in:"; head -50 "$3"; return 1; }
}

# same EXPECTED ACTUAL: two strings are equal.
same() { [[ $1 == "$2" ]] || { printf 'expected: %s\nfound:    %s\n' "$1" "$2"; return 1; }; }

# refuses COMMAND ...: the command must fail.
refuses() { ! "$@" || { echo "succeeded, but must not: $*"; return 1; }; }
