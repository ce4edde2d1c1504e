# Shared by the entry points: where things lie, progress lines, steps, and which engine runs the cluster.
# shellcheck shell=bash
set -euo pipefail

# shellcheck disable=SC2034  # read by the scripts that source this file
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=${REKEY_E2E_HOME:-$HOME/.cache/rekey-e2e}
bin=$home/bin
run=$home/run
logs=$home/log
export PATH=$bin:$PATH KUBECONFIG=$run/etc/admin.conf
export CONTAINERS_STORAGE_CONF=$home/etc/storage.conf CONTAINERS_REGISTRIES_CONF=$home/etc/registries.conf
export REKEY_E2E_STARTED=${REKEY_E2E_STARTED:-$EPOCHSECONDS} # one clock for a script and those that it calls
mkdir -p "$bin" "$run/etc" "$logs" "$home/etc"

# Progress goes to stderr, so that what a script answers can be captured.
say() { printf '[%3ds] %s\n' $((EPOCHSECONDS - REKEY_E2E_STARTED)) "$*" >&2; }

# fail MESSAGE [LOG]
fail() {
	say "FAILED: $1"
	if [ -s "${2:-}" ]; then
		tail -n 15 "$2" | sed 's/^/    /' >&2
		echo "    whole log: $2" >&2
	fi
	exit 1
}

# Says what is going on after two seconds, then every minute. Sleeps by a read that never ends, so killing it leaves no sleeping child.
ticker() {
	local never seconds=2
	exec {never}<> <(:)
	while kill -0 $$ 2> /dev/null; do
		read -rt "$seconds" -u "$never" || true
		say "$1 ..."
		seconds=60
	done
}

# step WHAT LOG COMMAND…: runs the command with its output in LOG. Exits when it fails, so never call it inside a condition.
step() {
	local what=$1 log=$2 from=$EPOCHSECONDS code=0 ticker child
	shift 2
	ticker "$what" &
	ticker=$!
	set -m # a process group of its own, so that an interrupt ends all of it
	(set -e && "$@") > "$log" 2>&1 < /dev/null &
	set +m
	child=$!
	trap 'kill -- "-$child" "$ticker" 2> /dev/null; exit 130' INT TERM
	wait "$child" || code=$?
	trap - INT TERM
	kill "$ticker" && wait "$ticker" 2> /dev/null || true
	[ $code = 0 ] || fail "$what" "$log"
	[ $((EPOCHSECONDS - from)) -lt 2 ] || say "$what: done"
}

# until_true SECONDS COMMAND…: false when the command never succeeded.
until_true() {
	local end=$((EPOCHSECONDS + $1))
	shift
	until "$@" > /dev/null 2>&1; do
		[ $EPOCHSECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

# One `up` or `down` at a time. Whatever is to outlive the script must close descriptor 9.
lock() {
	exec 9> "$home/$1.lock"
	flock -n 9 && return
	say "waiting for another $1 to end"
	flock 9
}

# kind where Docker and kind run, else native; a cluster keeps the engine that it was made with.
engine() {
	if [ -n "${REKEY_E2E_ENGINE:-}" ]; then
		echo "$REKEY_E2E_ENGINE"
	elif [ -e "$run/engine" ]; then
		cat "$run/engine"
	elif command -v kind > /dev/null && docker info > /dev/null 2>&1; then
		echo kind
	else
		echo native
	fi
}

# The name under which Docker, containerd and kubelets know an image: node:26 is docker.io/library/node:26.
full_name() {
	case ${1%%/*} in
		"$1") echo "docker.io/library/$1" ;;
		*.* | *:* | localhost) echo "$1" ;;
		*) echo "docker.io/$1" ;;
	esac
}
