#!/usr/bin/env bash
# A study of losses from the data to a page: trainings, evaluations, statistics. See scripts/study/README.md.
# Usage: scripts/study.sh PRESET [--data DIR] [--out DIR] [--jobs N] [--profile local|slurm] [--dry_run]
# The same command again goes on where it was stopped, and does nothing when all is done.
set -euo pipefail
cd "$(dirname "$0")/.."
usage="scripts/study.sh PRESET [--data DIR] [--out DIR] [--jobs N] [--profile local|slurm] [--dry_run]"
preset="" data="" out="" jobs="" profile=local dry_run=""
fail() { echo "error: $1" >&2; exit 1; }
while [ $# -gt 0 ]; do
    case "$1" in
        --help) echo "usage: $usage"; exit 0 ;;
        --dry_run) dry_run=1; shift; continue ;;
        --data | --out | --jobs | --profile) ;;
        --*) fail "Unknown option $1; usage: $usage" ;;
        *) [ -z "$preset" ] || fail "Expected one preset, got $preset and $1; usage: $usage"
            preset="$1"; shift; continue ;;
    esac
    case "${2:-}" in "" | --*) fail "Option $1 needs a value; usage: $usage" ;; esac
    declare "${1#--}=$2"
    shift 2
done
[ -n "$preset" ] || fail "Expected a preset; usage: $usage"
[ -d "scripts/study/profiles/$profile" ] || fail "Unknown profile '$profile'; choices: local, slurm"
case "$jobs" in *[!0-9]* | 0) fail "Expected --jobs as a number from 1 on, got $jobs" ;; esac

# The workflow's environment holds no PyTorch, and the computing one no Snakemake.
if [ -z "${STUDY_PYTHON:-}" ]; then
    . scripts/environment.sh
    export STUDY_PYTHON="$PWD/.venv/bin/python"
fi
if [ -z "${STUDY_SNAKEMAKE:-}" ]; then
    venv=.venv-study
    [ -x $venv/bin/python ] || "${PYTHON:-python3}" -m venv $venv
    wanted="$(cksum < scripts/study/requirements.txt)"
    if [ "$(cat $venv/.installed 2>/dev/null)" != "$wanted" ]; then
        echo "installing Snakemake into $venv"
        $venv/bin/python -m pip install --quiet --disable-pip-version-check -r scripts/study/requirements.txt
        echo "$wanted" > $venv/.installed
    fi
    STUDY_SNAKEMAKE="$PWD/$venv/bin/snakemake"
fi
# A cell is one process; several compute at once, so each has one thread unless the user says otherwise.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
export PYTHONWARNINGS="${PYTHONWARNINGS:-ignore::UserWarning:monai.bundle.scripts}"
out="${out:-runs/study_$preset}"
# Trainings at a time: processes of this machine, or jobs of the cluster.
limit=--cores
[ "$profile" = local ] || limit=--jobs
mkdir -p "$out"
# What one cell has compiled, the next one has.
export TORCHINDUCTOR_CACHE_DIR="${TORCHINDUCTOR_CACHE_DIR:-$(cd "$out" && pwd)/compiled}"
config=(preset="$preset" ${data:+data="$data"} ${STUDY_TABLE:+table="$STUDY_TABLE"})
snakemake() {
    # STUDY_SNAKEMAKE_OPTIONS are several words. The lock is held by this script, so that a workflow that was killed leaves none behind.
    "$STUDY_SNAKEMAKE" --snakefile scripts/study/Snakefile --directory "$out" --nolock \
        --workflow-profile "scripts/study/profiles/$profile" ${jobs:+"$limit" "$jobs"} --quiet rules host \
        ${STUDY_SNAKEMAKE_OPTIONS:-} "$@" 9>&-
}
if [ -n "$dry_run" ]; then
    snakemake --dry-run --config "${config[@]}" -- all
    exit
fi
exec 9> "$out/.lock"
flock -n 9 || fail "Another study runs in $out; wait for it, or choose another --out"
snakemake --dry-run --config "${config[@]}" -- cells > "$out/plan.log" 2>&1 ||
    { grep -m 1 '^error: ' "$out/plan.log" >&2 || tail -n 5 "$out/plan.log" | grep . >&2 ||
        echo "error: cannot write to $out; is the disk full?" >&2; exit 1; }
"$STUDY_PYTHON" scripts/study/study.py check --out "$out"
status=0
snakemake --config "${config[@]}" -- cells || status=$?
if [ $status = 0 ]; then
    snakemake --config "${config[@]}" -- all
else
    echo "some cells did not finish; the tables are of the others, and the same command tries again"
    snakemake --config "${config[@]}" finished_only=true -- all || true
    echo
    "$STUDY_PYTHON" scripts/study/study.py unfinished --out "$out"
fi
echo
echo "page        $out/report.html (report.md, report.tex)"
echo "tables      $out/results/"
echo "cells       $out/cells/: per-case results, logs, records"
exit $status
