#!/usr/bin/env bash
# Test with several processes on this machine, which share out the clips; what follows goes to test.py:
#   tools/dist_test.sh CONFIG CHECKPOINT GPUS [--out FILE] [--baselines] [--cfg-options KEY=VALUE ...]
# On several machines start it on each, with NNODES, NODE_RANK, MASTER_ADDR and PORT in the environment.
set -e
CONFIG=${1:?usage: tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of test.py]}
CHECKPOINT=${2:?usage: tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of test.py]}
GPUS=${3:?usage: tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of test.py]}

exec python -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --nproc_per_node="$GPUS" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    "$(dirname "$0")/test.py" "$CONFIG" "$CHECKPOINT" --launcher pytorch "${@:4}"
