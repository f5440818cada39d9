#!/usr/bin/env bash
# Test the nnU-Net trainers with the released nnunetv2, in an environment of its own (.venv-nnunet, 6 GB on Linux):
# scripts/test_nnunet.sh [pytest arguments]
set -euo pipefail
cd "$(dirname "$0")/.."
python="${PYTHON:-python3}"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    { echo "error: Python 3.11 or newer is needed, found $("$python" -V 2>&1); set PYTHON to one" >&2; exit 1; }
[ -x .venv-nnunet/bin/python ] || "$python" -m venv .venv-nnunet
. .venv-nnunet/bin/activate
# nnunetv2 needs torchvision, whose builds fit one build of torch only: === takes both from PyPI, where == would
# prefer a torch with a suffix (2.13.0+cpu) from elsewhere. Without the pins, nnunetv2 brings the newest torch.
packages=("torch===2.13.0" "torchvision===0.28.0" "nnunetv2==2.8.1" -e "./shared[test]")
wanted="$(cat shared/pyproject.toml | cksum) ${packages[*]}"
if [ "$(cat .venv-nnunet/.installed 2>/dev/null)" != "$wanted" ]; then
    echo "installing nnunetv2 into .venv-nnunet (several minutes the first time)"
    python -m pip install --quiet --disable-pip-version-check "${packages[@]}"
    echo "$wanted" > .venv-nnunet/.installed
fi
exec python -m pytest tests/nnunet "$@"
