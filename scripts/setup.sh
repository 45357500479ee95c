#!/usr/bin/env bash
# Make .venv and install the extras named as arguments. `make` calls it when pyproject.toml or constraints.txt changed.
#   PYTHON=/path/to/python     the interpreter to use (otherwise the first that is 3.11 or newer)
#   TORCH_INDEX=https://…      where to take torch from (otherwise: pip's own choice)
set -euo pipefail
cd "$(dirname "$0")/.."
venv=.venv/bin/python
quietly=(--quiet --disable-pip-version-check --no-compile) # compiled below, on all processors

say() { printf '%s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    local name
    for name in "${PYTHON:-}" python3.11 python3.12 python3.13 python3 python3.14 python; do
        if [ -n "$name" ] && fits "$name"; then printf '%s' "$name"; return; fi
    done
    fail "Python 3.11 or newer is needed and none was found: install one, or say where it is with PYTHON=/path/to/python."
}

make_venv() {
    local python
    python=$(find_python)
    "$python" -c 'import ensurepip, venv' 2>/dev/null || fail "$python can't make a virtual environment: install its venv package (Debian, Ubuntu: apt install python3-venv)."
    say "Making .venv with $("$python" -V 2>&1)."
    "$python" -m venv --clear .venv
}

pip_install() {
    "$venv" -m pip install "${quietly[@]}" --constraint constraints.txt "$@" ||
        fail "pip could not install everything; its message is above. Without a network, a warm pip cache or a local index is needed."
}

# pip's own choice of torch is a CUDA build of several GB on Linux; TORCH_INDEX names the index of another build.
install_torch() {
    local pin
    if [ -z "${TORCH_INDEX:-}" ]; then return; fi
    pin=$("$venv" scripts/requirements.py students | grep '^torch==')
    say "Taking $pin from $TORCH_INDEX."
    "$venv" -m pip install "${quietly[@]}" --no-deps --retries 1 --index-url "$TORCH_INDEX" "$pin" ||
        fail "$pin is not to be had there; unset TORCH_INDEX to take the one that pip finds."
}

[ -x "$venv" ] && fits "$venv" || make_venv
say "Installing $* (some minutes the first time)."
case " $* " in *" students "*) install_torch ;; esac
list=$(mktemp)
trap 'rm -f "$list"' EXIT
"$venv" scripts/requirements.py "$@" >"$list"
pip_install --requirement "$list"
# Now rather than at the first import: there may be an environment that forbids Python to keep what it compiled.
"$venv" -m compileall -q -q -j 0 -x '/tests?/' .venv/lib || true # some packages carry files for other Pythons
