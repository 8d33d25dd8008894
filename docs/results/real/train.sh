#!/usr/bin/env bash
# Trains lookahead modules for SmolLM2-135M-Instruct from the committed recipe (docs/text-recipe.json), on one GPU.
#     train.sh LOOKAHEAD MODEL.gguf TEXTS OUT [options of `lookahead train`, such as --minutes 8 or --seed 1]
# LOOKAHEAD is the published command (build/publish-gpu.sh); the same call goes on where a piece ended.
set -euo pipefail
[ $# -ge 4 ] || {
    echo "usage: train.sh LOOKAHEAD MODEL.gguf TEXTS OUT [options]" >&2
    exit 2
}
lookahead=$1 model=$2 texts=$3 out=$4
shift 4
exec "$lookahead" train --model "$model" --texts "$texts" --dtype bfloat16 --device cuda --steps 400 --out "$out" --json "$out.json" "$@"
