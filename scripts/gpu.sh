#!/usr/bin/env bash
# Check the project on one GPU and measure it, in steps of minutes: scripts/gpu.sh [--out DIR] [--device D] [--toy] [STEP...]
# Without STEP all of them: correctness speed precision processes resume hippocampus acdc brats kits. A step that is done
# is not repeated, so that a run that was interrupted goes on; remove DIR/STEP.json to repeat one. The table is
# DIR/table.md. Trainings are on phantoms; a dataset at DIR/data/NAME (or a link to one) is taken instead.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh
exec python scripts/benchmarks/gpu.py "$@"
