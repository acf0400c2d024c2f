#!/usr/bin/env bash
# Format, lint, types and tests. Makes its own environment. Arguments go to pytest.
# FAULTDIAG_REAL_DATA may name a folder of real recordings; without it those tests are skipped.
set -euo pipefail
if [ -n "${FAULTDIAG_REAL_DATA:-}" ]; then
    FAULTDIAG_REAL_DATA="$(realpath "$FAULTDIAG_REAL_DATA")"
    export FAULTDIAG_REAL_DATA
fi
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
make_environment test

.venv/bin/ruff format --check .
.venv/bin/ruff check .
.venv/bin/mypy
# One process a core, each with one thread; `-n 0` runs all tests in this one.
export OMP_NUM_THREADS=1
.venv/bin/python -m pytest -n auto --maxprocesses 8 --dist worksteal "$@"
