#!/bin/bash
# A search as a SLURM array: task 0 is the chief, the others are workers; all see one folder.
#
#   sbatch --export=ALL,TFCOURSE_TOKEN=$(openssl rand -hex 32) slurm.sh search.toml
#
# A task that is requeued goes on where it was. The token keeps other users of the cluster out,
# but all is sent in clear.
#SBATCH --job-name=tfcourse
#SBATCH --array=0-8
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --time=12:00:00
#SBATCH --requeue
set -euo pipefail

config=${1:?usage: sbatch slurm.sh CONFIG}
runs=${RUNS:-$SLURM_SUBMIT_DIR/runs}
port=$((20000 + SLURM_ARRAY_JOB_ID % 20000))
address=$runs/.chief-$SLURM_ARRAY_JOB_ID
mkdir -p "$runs"

if [ "$SLURM_ARRAY_TASK_ID" = 0 ]; then
    hostname > "$address"
    exec tfcourse chief "$config" --bind "0.0.0.0:$port" --out "$runs"
fi
until [ -s "$address" ]; do sleep 2; done
while true; do  # a chief that is requeued may come back on another node
    code=0
    tfcourse worker "$config" --connect "$(cat "$address"):$port" \
        --id "task-$SLURM_ARRAY_TASK_ID" --out "$runs" --patience 120 || code=$?
    [ "$code" = 1 ] || exit "$code"
done
