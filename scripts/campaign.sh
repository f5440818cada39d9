#!/usr/bin/env bash
# Bad values, mutated files, hostile bundles and killed trainings, drawn by a seed; a table of what held and what failed:
# scripts/campaign.sh [--seed N] [--size small|full] [--areas commands chosen runner scans inference bundles tricks kills]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh test
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
exec python -m tests.campaign "$@"
