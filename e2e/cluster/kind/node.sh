# The one node of the kind cluster, a container.
# shellcheck shell=bash
# shellcheck source=../common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
cluster=rekey node=rekey-control-plane
running() { [ "$(docker inspect -f '{{.State.Running}}' "$node" 2> /dev/null)" = true ]; }
on_node() { docker exec "$node" "$@"; }
api_ready() { kubectl get --raw /readyz --request-timeout=5s; }
