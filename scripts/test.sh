#!/usr/bin/env bash
# Make the environment, lint, run the tests: scripts/test.sh [--slow] [pytest arguments]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh test
ruff check .
ruff format --check .
marks="not slow and not nnunet"
if [ "${1:-}" = "--slow" ]; then marks="not nnunet"; shift; fi
exec python -m pytest -m "$marks" "$@"
