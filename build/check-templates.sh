#!/usr/bin/env bash
# Compares chat templates with jinja2 (python3 with jinja2): those of FOLDER, which build/published-tokenizers.sh fetches, and COUNT random ones.
#     build/check-templates.sh FOLDER [COUNT [SEED]]
set -euo pipefail
[ $# -ge 1 ] || {
    echo "usage: build/check-templates.sh FOLDER [COUNT [SEED]]" >&2
    exit 2
}
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
cases=$(mktemp)
trap 'rm -f "$cases"' EXIT
python3 tests/golden/make_templates.py --published "$folder" > "$cases"
python3 tests/golden/make_templates.py --lines "${2:-2000}" "${3:-1}" >> "$cases"
[ -x artifacts/bin/LookaheadKV.Tests/release/LookaheadKV.Tests ] || dotnet build tests/LookaheadKV.Tests -c Release
LOOKAHEADKV_TEMPLATE_CASES=$cases artifacts/bin/LookaheadKV.Tests/release/LookaheadKV.Tests -class LookaheadKV.Tests.Jinja.RandomTemplateTests
