#!/usr/bin/env bash
# Publishes the command for a Linux machine with a GPU and a PyTorch install (2.8 to 2.11, CUDA): .NET inside, libtorch from there.
#     build/publish-gpu.sh FOLDER
# On that machine: LD_LIBRARY_PATH=$(python -c 'import torch, os; print(os.path.join(os.path.dirname(torch.__file__), "lib"))') FOLDER/lookahead …
set -euo pipefail
[ $# = 1 ] || {
    echo "usage: build/publish-gpu.sh FOLDER" >&2
    exit 2
}
folder=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")/.."
dotnet publish src/LookaheadKV.Cli -c Release -r linux-x64 --self-contained -p:LibTorch=none -o "$folder"
[ -f "$folder/libLibTorchSharp.so" ] || {
    echo "$folder lacks libLibTorchSharp.so: TorchSharp's package is not what it was." >&2
    exit 1
}
du -sh "$folder"
