#!/usr/bin/env bash
# Runs a small study on a real Slurm of this one machine, kills two of its shards, runs them again, and holds the result to that of one process.
#
#     build/slurm/test.sh             needs the .NET SDK, and slurm-wlm and munge of the distribution
#     build/slurm/test.sh --install   installs those two first (apt-get, as root)
#
# slurmctld, slurmd and munged run as this user, on loopback, in a private folder, and are stopped at the end. LOOKAHEAD names a command to test
# in place of the build of this checkout. Exit codes: 0 all held, 1 something did not, 2 Slurm is not installed.
set -euo pipefail
cd "$(dirname "$0")/../.."
shards=12
killed=5    # this element is ended by kill -9
cancelled=6 # this one by scancel
study=build/slurm/test-study.json
packages="slurm-wlm munge"
PATH=$PATH:/usr/sbin:/sbin

if [ "${1:-}" = --install ]; then
    apt-get update -q && apt-get install -q -y --no-install-recommends $packages
fi
for tool in slurmctld slurmd sbatch munged; do
    command -v "$tool" >/dev/null || {
        echo "$tool is missing; install Slurm by \`apt-get install $packages\`, or run $0 --install." >&2
        exit 2
    }
done

work=$(mktemp -d)
chmod 711 "$work" # munged wants its socket's folder open to all
mkdir "$work"/{logs,state,spool}
export SLURM_CONF=$work/slurm.conf
daemons=()

say() { printf '%4d s  %s\n' "$SECONDS" "$*"; }

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

within() { # within SECONDS COMMAND...: waits until the command succeeds
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || fail "waited too long for: $*"
        sleep 0.05
    done
}

finish() {
    local code=$?
    trap - EXIT
    [ "$code" -eq 0 ] || tail -n 5 "$work"/logs/* >&2
    scancel --quiet --user="$(id -un)" 2>/dev/null || true
    for ((i = ${#daemons[@]} - 1; i >= 0; i--)); do # slurmd before slurmctld before munged
        kill "${daemons[i]}" 2>/dev/null || true
        wait "${daemons[i]}" 2>/dev/null || true
    done
    # Tasks outlive a slurmd. They, and nothing else, were started with our configuration.
    for process in $(grep -lzF "SLURM_CONF=$SLURM_CONF" /proc/[0-9]*/environ 2>/dev/null | cut -d / -f 3); do
        [ "$process" = $$ ] || kill -9 "$process" 2>/dev/null || true
    done
    rm -rf "$work"
    exit "$code"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

start() { # start COMMAND...: a daemon in the foreground of its own
    "$@" >>"$work/logs/daemons" 2>&1 &
    daemons+=($!)
}

free_port() { # free_port FROM
    local port=$1
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
    echo "$port"
}

start_slurm() {
    local host port
    host=$(hostname -s)
    port=$(free_port $((20000 + $$ % 10000)))
    head -c 128 /dev/urandom >"$work/munge.key"
    chmod 400 "$work/munge.key"
    # NoInAddrAny: without it the daemons listen on every address. Three jobs at once, however few cores there are.
    cat >"$SLURM_CONF" <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$(free_port $((port + 1)))
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket,cred_expire=5
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/logs/slurmctld
SlurmdLogFile=$work/logs/slurmd
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=0
SlurmdParameters=config_overrides
NodeName=localhost NodeAddr=127.0.0.1 NodeHostname=$host CPUs=3
PartitionName=test Nodes=localhost Default=YES
END
    start munged --foreground --key-file="$work/munge.key" --socket="$work/munge.socket" --pid-file="$work/munge.pid" \
        --log-file="$work/logs/munge" --seed-file="$work/munge.seed"
    within 10 bash -c "munge --no-input --socket=$work/munge.socket | unmunge --socket=$work/munge.socket"
    start slurmctld -D -c
    within 20 scontrol ping
    start slurmd -D -c
    within 20 bash -c "sinfo --noheader --format=%T | grep -qx idle"
}

shard_job() { # shard_job ELEMENTS: its id
    sbatch --parsable --array="$1" --output="$work/logs/%A_%a" build/slurm/ablate.sbatch "$study" "$shards" --device cpu --out "$work/shards"
}

merge_job() { # merge_job JOBS: its id; JOBS as in 12:34
    sbatch --parsable --dependency="afterany:$1" --output="$work/logs/%j" build/slurm/merge.sbatch "$study" --device cpu --out "$work/shards"
}

is_idle() { [ -z "$(squeue --noheader)" ]; }

ended() { # ended JOB PATTERN: how Slurm says that it ended
    scontrol show job "$1" | tr '\n' ' ' | grep -Eq "$2" || fail "job $1 did not end with $2: $(scontrol show job "$1" | grep -E 'State|Exit')"
}

log_has() { grep -qF -- "$2" "$work/logs/$1" || fail "the log of $1 lacks \"$2\""; }

names() { (cd "$work/$1/cells" && ls); }

# Inode, change and size of every result: what any writing would change.
marks() { (cd "$work/shards/cells" && stat --format='%n %i %y %z %s' ${1:-*.json}); }

measured() { # measured FOLDER: all results without what made them and how long it took
    for cell in "$work/$1"/cells/*.json; do
        basename "$cell"
        sed '/^  "run": {/,$d' "$cell"
    done
}

if [ -z "${LOOKAHEAD:-}" ]; then
    dotnet build src/LookaheadKV.Cli -c Release --nologo -v quiet
fi
say "built"

OMP_NUM_THREADS=1 "${LOOKAHEAD:-artifacts/bin/LookaheadKV.Cli/release/lookahead}" ablate --study "$study" --device cpu --out "$work/one" >"$work/logs/one"
[ "$(names one | wc -l)" -eq "$shards" ] || fail "the study has other than $shards cells"
say "one process: $shards cells"

start_slurm
say "Slurm $(sinfo --version | cut -d ' ' -f 2) is up"

array=$(shard_job "1-$shards")
early=$(merge_job "$array")
within 120 grep -q "train" "$work/logs/${array}_$killed"
job=$(squeue --noheader --jobs="${array}_$killed" --format=%A)
kill -9 "$(scontrol listpids "$job" | awk 'NR == 2 { print $1 }')"
say "kill -9 in the middle of shard $killed"
within 120 grep -q "train" "$work/logs/${array}_$cancelled"
scancel "${array}_$cancelled"
say "scancel in the middle of shard $cancelled"
within 300 is_idle
ended "${array}_$killed" 'JobState=FAILED .*ExitCode=0:9'
ended "${array}_$cancelled" 'JobState=CANCELLED'
log_has "${array}_$cancelled" "cancelled;"
ended "$early" 'JobState=FAILED .*ExitCode=1:0'
log_has "$early" "2 of $shards cells are missing"
log_has "$early" "(numbers $killed,$cancelled)"
[ ! -e "$work/shards/table.csv" ] || fail "a table was made of ten cells"
[ "$(names shards | grep -c '\.json$')" -eq $((shards - 2)) ] || fail "other than $((shards - 2)) cells are there"
[ -z "$(names shards | grep -v '\.json$')" ] || fail "something half-written is there"
say "ten cells are there, and the merge names the two that are not"

marks >"$work/before"
lost=$(comm -23 <(names one) <(names shards))
for cell in $lost; do # as a kill between writing and renaming would leave it
    echo '{"half' >"$work/shards/cells/$cell.$(tr -d - </proc/sys/kernel/random/uuid).tmp"
done
# The cancelled shard twice, at once: so may a requeue run it while the old process still goes on.
first=$(shard_job "$cancelled")
second=$(shard_job "$cancelled")
scontrol requeue "${array}_$killed"
late=$(merge_job "$array:$first:$second")
within 300 is_idle
log_has "${array}_$killed" "train" # appended to, not overwritten
ended "${array}_$killed" 'JobState=COMPLETED'
for job in "$first" "$second"; do
    ended "${job}_$cancelled" 'JobState=COMPLETED'
    log_has "${job}_$cancelled" "1 to run"
done
ended "$late" 'JobState=COMPLETED'
say "the two shards again, one of them twice at once, and a merge"

cmp "$work/one/table.csv" "$work/shards/table.csv" || fail "the tables differ"
cmp <(measured one) <(measured shards) || fail "the cells differ"
cmp "$work/before" <(marks "$(cut -d ' ' -f 1 "$work/before")") || fail "a finished cell was written again"
remaining=$(find "$work/shards" -type f ! -path '*/cells/*.json' ! -name table.csv)
[ -z "$remaining" ] || fail "temporary files remain: $remaining"
cmp <(names one) <(names shards) || fail "other files than the cells are there"
say "table.csv is that of one process to the byte, the ten cells are untouched, nothing else is there"
echo "passed"
