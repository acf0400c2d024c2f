# Sourced by the other scripts: goes to the project's root and makes .venv, once.
# make_environment [EXTRAS]  installs faultdiag with these extras, pinned by constraints.txt.

cd "$(dirname "${BASH_SOURCE[0]}")/.."

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3 python; do
        [ -n "$candidate" ] && command -v "$candidate" >/dev/null || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    echo "faultdiag needs Python 3.11 or newer; none was found (set PYTHON to one)" >&2
    return 1
}

make_environment() {
    local extras="${1:-}" stamp
    stamp=".venv/.installed-$(cat pyproject.toml constraints.txt | cksum | tr -d ' ')${extras}"
    [ -e "$stamp" ] && return
    if [ ! -x .venv/bin/python ]; then
        "$(find_python)" -m venv .venv
    fi
    echo "installing faultdiag${extras:+ [$extras]} into .venv (once; torch is large)" >&2
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        -c constraints.txt -e ".${extras:+[$extras]}"
    touch "$stamp"
}
