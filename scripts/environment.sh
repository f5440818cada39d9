# Sourced by the other scripts, from the repository root: make and enter .venv, install once per change of requirements.
# Usage: . scripts/environment.sh [EXTRA]
extra="${1:-}"
python="${PYTHON:-python3}"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    { echo "error: Python 3.11 or newer is needed, found $("$python" -V 2>&1); set PYTHON to one" >&2; exit 1; }
[ -x .venv/bin/python ] || "$python" -m venv .venv
. .venv/bin/activate
wanted="$(cat requirements.txt shared/pyproject.toml | cksum) $extra"
if [ "$(cat ".venv/.installed-$extra" 2>/dev/null)" != "$wanted" ]; then
    echo "installing the requirements into .venv (a few minutes the first time)"
    # pip's advice and its notes on the build of the local package are not for the user; its errors are.
    if ! python -m pip install --quiet --disable-pip-version-check --no-input --root-user-action=ignore \
        -r requirements.txt ${extra:+-e "./shared[$extra]"} > .venv/install.log 2>&1; then
        grep -E '^ *(ERROR|error)' .venv/install.log >&2 || tail -n 20 .venv/install.log >&2
        echo "error: the installation failed; all of pip's output is in .venv/install.log" >&2
        exit 1
    fi
    echo "$wanted" > ".venv/.installed-$extra"
fi
