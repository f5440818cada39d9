#!/usr/bin/env bash
# Run the tests in an environment of its own with the lowest versions that shared/pyproject.toml allows, or the newest:
# scripts/test_versions.sh lowest|newest [pytest arguments]
# PYTHON names the interpreter (python3.12), TORCH another build of torch (torch==2.13.0+cpu).
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in
    lowest) resolution=lowest-direct ;;
    newest) resolution=highest ;;
    *) echo "error: expected lowest or newest, found '${1:-}'; usage: scripts/test_versions.sh lowest|newest" >&2; exit 1 ;;
esac
python="${PYTHON:-python3}"
version="$("$python" -c 'import sys; print("{}.{}".format(*sys.version_info))')"
environment=".venv-$1-$version"
shift
[ -x "$environment/bin/python" ] || "$python" -m venv "$environment"
"$environment/bin/python" -m pip install --quiet --disable-pip-version-check uv
install() { "$environment/bin/python" -m uv pip install --quiet --python "$environment/bin/python" "$@"; }
install --resolution "$resolution" ${TORCH:+"$TORCH"} -e ./shared
# What the tests need beside it is as new as these versions allow.
"$environment/bin/python" -m uv pip freeze --python "$environment/bin/python" --exclude-editable > "$environment/installed"
install --constraint "$environment/installed" -e "./shared[test]"
grep -iE '^(torch|monai|numpy|scipy|nibabel|pytorch-ignite|fire|edt|connected|matplotlib|jinja2|tqdm|tensorboard|jsonschema|scikit)' \
    "$environment/installed"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
exec "$environment/bin/python" -m pytest -m "not slow and not nnunet" "$@"
