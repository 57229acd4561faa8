#!/bin/bash
# A search on a Ray cluster of its own: a head here, and a node for workers on each host.
#
#   ./ray.sh search.toml                                # two nodes of one CPU on this machine
#   HOSTS="node1 node2" ./ray.sh search.toml --out runs # a node on each of these hosts, by ssh
#
# The arguments are those of tfcourse search; all nodes end with it, also on Ctrl-C or SIGTERM, and the
# same command resumes the search. Each host needs a login without a password, and Python, Ray,
# TensorFlow, Keras, NumPy and tfcourse in the same versions as here, in the folder ENVIRONMENT (with
# bin/ray).
# No shared folder is needed. A token keeps strangers out, but all is sent in clear: use a private network.
# ADDRESS is this machine's in that network, if it has several.
set -euo pipefail

: "${1:?usage: [HOSTS=\"HOST ...\"] [ENVIRONMENT=FOLDER] ray.sh CONFIG [OPTION ...]}"
environment=${ENVIRONMENT:-$(dirname "$(dirname "$(command -v ray)")")}
export PATH=$environment/bin:$PATH RAY_AUTH_MODE=token RAY_AUTH_TOKEN
RAY_AUTH_TOKEN=$(openssl rand -hex 32)
export RAY_USAGE_STATS_ENABLED=0 RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S=0
logs=$(mktemp -d)
nodes=()
search=
unset RAY_ADDRESS

end() {
    trap "" INT TERM HUP
    if [ "$search" ]; then
        kill "$search" 2> "$logs/kill" || true
        wait "$search" || true
    fi
    # "ray start --block" stops its own processes; "ray stop" would stop other clusters' too.
    kill ${nodes[@]+"${nodes[@]}"} 2> "$logs/kill" || true
    wait || true
    # "ray stop" would delete the file by which Ray looks for a cluster, too.
    current=${RAY_TMPDIR:-${TMPDIR:-/tmp}}/ray/ray_current_cluster
    if [ "$(cat "$current" 2> "$logs/current")" = "${RAY_ADDRESS:-}" ]; then rm -f "$current"; fi
    rm -r "$logs"
}
trap end EXIT
trap "exit 130" INT
trap "exit 143" TERM HUP

begun() { # waits until the node that was started last has begun
    until grep -q "Ray runtime started" "$log"; do
        kill -0 "${nodes[-1]}" 2> "$logs/kill" || { cat "$log" >&2; exit 1; }
        sleep 0.2
    done
}

# --num-cpus 0: the trials run on the other nodes. A head here is also where the search itself runs.
log=$logs/head
ray start --head --num-cpus 0 --port "${PORT:-6379}" ${ADDRESS:+--node-ip-address "$ADDRESS"} \
    --include-dashboard false --block > "$log" 2>&1 &
nodes+=($!)
begun
RAY_ADDRESS=$(sed -n "s/.*ray start --address='\(.*\)'.*/\1/p" "$log")
export RAY_ADDRESS

if [ -z "${HOSTS:-}" ]; then
    for node in 1 2; do
        log=$logs/$node
        ray start --address "$RAY_ADDRESS" --num-cpus 1 --block > "$log" 2>&1 &
        nodes+=($!)
        begun
    done
fi
settings="RAY_USAGE_STATS_ENABLED=0 RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S=0 RAY_AUTH_MODE=token"
for host in ${HOSTS:-}; do
    log=$logs/node-$host
    ssh "$host" "umask 077; cat > .tfcourse-ray" <<< "$RAY_AUTH_TOKEN"
    # -tt: the node ends with the connection
    ssh -tt "$host" "$settings RAY_AUTH_TOKEN=\$(cat .tfcourse-ray; rm .tfcourse-ray) \
        $environment/bin/ray start \
        --address $RAY_ADDRESS --block" > "$log" 2>&1 < /dev/null &
    nodes+=($!)
    begun
done

# Bash acts on a signal only after a command in the foreground has ended.
tfcourse search "$@" --on ray <&0 & # --fresh asks on the terminal
search=$!
code=0
wait "$search" || code=$?
search=
exit "$code"
