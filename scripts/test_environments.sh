#!/usr/bin/env bash
# Run the tests in other environments than the main one.
#
#     bash scripts/test_environments.sh [--quick] [lowest|3.12|3.13 …]
#
# lowest: the oldest versions that pyproject.toml allows, with Python 3.11. 3.12, 3.13: the versions
# of constraints.txt, with that Python. Without a name all three. --quick runs a part: the readers,
# the config, the command line and one training. Each environment takes about 6 GB where PyPI has no
# CPU build of torch; it is made in a temporary folder and removed, or kept in $ENVIRONMENTS.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

quick="" names=()
for word in "$@"; do
    case "$word" in
        --quick) quick=1 ;;
        lowest | 3.1[1-9]) names+=("$word") ;;
        *) echo "unknown environment '$word'; known: lowest, 3.12, 3.13" >&2; exit 1 ;;
    esac
done
[ "${#names[@]}" -gt 0 ] || names=(lowest 3.12 3.13)

folder="${ENVIRONMENTS:-$(mktemp -d)}"
[ -n "${ENVIRONMENTS:-}" ] || trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder"
python_of() { [ "$1" = lowest ] && echo python3.11 || echo "python$1"; }
if ! command -v uv >/dev/null; then
    "$(python_of lowest)" -m venv "$folder/uv"
    "$folder/uv/bin/pip" install --quiet --disable-pip-version-check uv
    PATH="$folder/uv/bin:$PATH"
fi

QUICK=(tests/readers tests/config tests/cli tests/training/test_run.py)
export OMP_NUM_THREADS=1
failed=()
for name in "${names[@]}"; do
    environment="$folder/$name"
    how=(-c constraints.txt)
    [ "$name" != lowest ] || how=(--resolution lowest-direct)
    [ -x "$environment/bin/python" ] || uv venv --quiet --python "$(python_of "$name")" "$environment"
    uv pip install --quiet --python "$environment/bin/python" "${how[@]}" -e '.[test]'
    echo "== $name: $("$environment/bin/python" --version), $(
        uv pip freeze --quiet --python "$environment/bin/python" | grep -E '^(torch|numpy|scipy)=' |
            paste -sd ' ')"
    "$environment/bin/python" -m pytest -n auto --maxprocesses 8 --dist worksteal \
        ${quick:+"${QUICK[@]}"} || failed+=("$name")
    [ -n "${ENVIRONMENTS:-}" ] || rm -rf "$environment"
done
[ "${#failed[@]}" -eq 0 ] || { echo "tests failed in: ${failed[*]}" >&2; exit 1; }
