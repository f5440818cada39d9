#!/usr/bin/env bash
# Make the environment, lint, check the types, run the tests: scripts/test.sh [--slow] [pytest arguments]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh test
# CPUs differ in their kernels, and so in the order in which floats are summed: a failure elsewhere is read with these.
echo "CPU:$(grep -m 1 '^model name' /proc/cpuinfo 2> /dev/null | cut -d : -f 2 || sysctl -n machdep.cpu.brand_string)"
python -c 'import torch; print("kernels:", torch.backends.cpu.get_cpu_capability(), "with torch", torch.__version__)'
if [ "${CI:-}" = true ] && ! command -v chromium chromium-browser google-chrome > /dev/null; then
    # The report is tested in a browser; elsewhere than in CI that test skips where there is none.
    if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
        apt-get update -qq && apt-get install -qq -y chromium > /dev/null
    else
        echo "no Chromium and no right to install one: the report's browser test will skip"
    fi
fi
ruff check .
ruff format --check .
mypy --config-file shared/pyproject.toml
# Tests are many small computations, some in two processes at once: more threads would only wait for each other.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
marks="not slow and not nnunet"
if [ "${1:-}" = "--slow" ]; then marks="not nnunet"; shift; fi
exec python -m pytest -m "$marks" "$@"
