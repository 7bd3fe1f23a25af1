#!/usr/bin/env bash
# Train with several processes on this machine, one a GPU; what follows goes to train.py:
#   tools/dist_train.sh CONFIG GPUS [--work-dir DIR] [--resume] [--amp] [--cfg-options KEY=VALUE ...]
# On several machines start it on each, with NNODES, NODE_RANK, MASTER_ADDR and PORT in the environment.
set -e
CONFIG=${1:?usage: tools/dist_train.sh CONFIG GPUS [arguments of train.py]}
GPUS=${2:?usage: tools/dist_train.sh CONFIG GPUS [arguments of train.py]}

exec python -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --nproc_per_node="$GPUS" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    "$(dirname "$0")/train.py" "$CONFIG" --launcher pytorch "${@:3}"
