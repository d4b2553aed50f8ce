#!/bin/bash
# Captions a table with a Slurm job array, one shard a task, and merges the shards when all are done:
#
#     ./slurm-array.sh samples.csv captions.csv --model demo
#
# Tasks that failed are tried again by their numbers, with the same arguments; then the shards are merged:
#
#     SHARDS=16 sbatch --array=3,7 slurm-array.sh samples.csv captions.csv --model demo
#     vcap-native merge captions.csv
#
#SBATCH --job-name=vcap
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --gres=gpu:1
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@120
set -u

export SHARDS="${SHARDS:-16}"
VCAP="${VCAP:-npx vcap-native}"
input="$1"
output="$2"
shift 2

# Outside of a job: submit the array, and the merge for when all of it has ended well.
if [ -z "${SLURM_JOB_ID:-}" ]; then
  job=$(sbatch --parsable --array="0-$((SHARDS - 1))" "$0" "$input" "$output" "$@") || exit 1
  merge=$(printf '%s merge %q' "$VCAP" "$output")
  exec sbatch --job-name=vcap-merge --dependency="afterok:${job%%;*}" --kill-on-invalid-dep=yes --wrap "$merge"
fi

# The shard's number is the task's; its count is not that of the array, which may be of some tasks tried again.
$VCAP run "$input" "$output" --shards "$SHARDS" "$@" &
child=$!
trap 'kill -TERM "$child"' TERM
wait "$child"
code=$?
while kill -0 "$child" 2>/dev/null; do
  wait "$child"
  code=$?
done

case "$code" in
  0 | 3) exit 0 ;; # 3: finished, and some rows have no caption
  75 | 143) # a fault that a rerun may pass, or the end of the time: the same task goes on
    if [ "${SLURM_RESTART_COUNT:-0}" -lt 5 ]; then
      scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}" && exit 0
    fi
    ;;
esac
exit "$code"
