#!/usr/bin/env bash
# Makes the virtual environment from the lock file: hashes checked, progress shown.
set -euo pipefail
venv=$1
python=${PYTHON:-python3}
"$python" - <<'PY' || { echo "enarx: python 3.11 or newer is needed" >&2; exit 2; }
import sys
sys.exit(sys.version_info < (3, 11))
PY
if [ ! -x "$venv/bin/python" ]; then
    echo "setting up: virtual environment in $venv" >&2
    "$python" -m venv "$venv" || {
        echo "enarx: cannot make a virtual environment" >&2
        echo "hint: apt-get install -y python3-venv" >&2
        exit 2
    }
fi
echo "setting up: locked dependencies ($(grep -c '==' requirements/dev.lock) packages, hashes checked)" >&2
quiet=-q
[ -t 1 ] && quiet=--progress-bar=on
"$venv/bin/python" -m pip install "$quiet" --disable-pip-version-check --require-hashes -r requirements/dev.lock
"$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
echo "setting up: done" >&2
