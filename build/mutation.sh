#!/usr/bin/env bash
# Mutates a folder of the library, runs the C# tests that mirror it, and prints counts and survivors (mutation.fsx).
#   build/mutation.sh Lookahead              a folder
#   build/mutation.sh Evaluation/Metrics     a folder in a folder, or of a package: src/LookaheadKV.Evaluation/Metrics
#   build/mutation.sh --again Lookahead      only what survived the last runs of the folder: after tests were added
# Reports stay under tests/LookaheadKV.Tests/StrykerOutput/FOLDER; a run without --again begins anew.
set -euo pipefail
cd "$(dirname "$0")/../tests/LookaheadKV.Tests"
again=
[ "${1:-}" != --again ] || { again=yes && shift; }
[ $# -eq 1 ] || {
    echo "give one folder: of src/LookaheadKV, or a package beside it, as Evaluation or Evaluation/Metrics." >&2
    exit 2
}
folder=$1
name=${folder//\//.}
project=LookaheadKV
within=$folder
if [ ! -d "../../src/LookaheadKV/$folder" ]; then
    project=LookaheadKV.${folder%%/*}
    within=${folder#"${folder%%/*}"}
    within=${within#/}
fi
[ -d "../../src/$project/$within" ] || {
    echo "there is no src/$project/$within." >&2
    exit 2
}
output=StrykerOutput/$name
reports() { ls -v "$output"/*/reports/mutation-report.json; }

if [ -n "$again" ]; then
    mapfile -t globs < <(dotnet fsi ../../build/mutation.fsx --globs $(reports))
else
    rm -rf "$output"
    globs=("${within:+$within/}**/*.cs")
fi
# Code that runs on a GPU alone: no test reaches it elsewhere.
globs+=('!Passes/DecodingGraph.cs')
# The tests of the folder, and those of others that go through it; less those that take seconds, of which each mutant would run them all.
mirror=("LookaheadKV.Tests.$name.")
case $folder in
Scoring | Methods | Budgeting | Eviction | Cache) mirror=(Tests.{Scoring,Methods,Budgeting,Eviction,Cache}. Generation.ConversationTests) ;; # they go hand in hand
Generation | Passes) mirror=(Tests.{Generation,Passes,Eviction}. Methods.WholePassTests Runtime.ExecutionTests) ;;
Lookahead | Training) mirror=(Tests.{Lookahead,Training}.) ;;
esac
slow=(TaskGeneratorsTests TrainingSequencesTests RulerTasksTests PromptTraceTests.Teacher Settings_and_seed_decide A_log_cut_at_any_byte LookaheadTrainerTests.The_loss_falls)
slow+=(RustLibraryTests.RandomTokenizers RustLibraryTests.ARealTokenizer SplitPatternTests.Cuts SplitPatternTests.AnyText)
tests=$(printf '|FullyQualifiedName~%s' "${mirror[@]}")
tests="(${tests:1})$(printf '\\&FullyQualifiedName!~%s' "${slow[@]}")"

mkdir -p "$output"
run=$output/$(($(ls "$output" | wc -l) + 1))
mkdir "$run"
mutate=$(printf '"%s", ' "${globs[@]}")
sed -e "s#PROJECT#$project#" -e "s#\"MUTATE\"#${mutate%, }#" -e "s#TESTS#$tests#" stryker-config.json >"$run/config.json"
OMP_NUM_THREADS=1 nice -n 15 dotnet stryker --config-file "$run/config.json" --output "$run" || true # a low score is told by the table
dotnet fsi ../../build/mutation.fsx $(reports)
