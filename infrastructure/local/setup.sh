#!/usr/bin/env bash
# The steps of `make setup`: uv, then everything it can't do by itself. Each step may be repeated at any time.
set -euo pipefail

readonly UV_VERSION=0.13.9
readonly PYTHON_VERSION=3.13
readonly LOCAL=.local
readonly UV=$LOCAL/uv/bin/uv

fail() {
    printf '\nmake setup: %s\n' "$*" >&2
    exit 1
}

say() {
    printf 'make setup: %s\n' "$1"
}

# uv from PyPI: in a virtual environment, else by a pip without one, else the one that is there already.
install_uv() {
    [[ $("$UV" --version 2>/dev/null) == "uv $UV_VERSION"* ]] && return
    say "uv $UV_VERSION"
    command -v python3 >/dev/null || fail "there is no python3. Install Python 3.11 or newer, then run it again."
    rm -rf "$LOCAL/uv"
    if python3 -c 'import ensurepip, venv' 2>/dev/null; then
        python3 -m venv "$LOCAL/uv"
        "$LOCAL/uv/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION" ||
            fail "pip could not install uv; its message is above. Mostly that is the network: then run it again."
    elif python3 -m pip --version >/dev/null 2>&1; then
        python3 -m pip install --quiet --disable-pip-version-check --target "$LOCAL/uv" "uv==$UV_VERSION" ||
            fail "pip could not install uv; its message is above. Mostly that is the network: then run it again."
    elif command -v uv >/dev/null; then
        mkdir -p "$LOCAL/uv/bin"
        ln -s "$(command -v uv)" "$UV"
    else
        fail "python3 ($(command -v python3)) has neither venv with ensurepip nor pip. Install one of them" \
            "(Debian and Ubuntu: apt install python3-venv) or uv (https://docs.astral.sh/uv/), then run it again."
    fi
    "$UV" --version >/dev/null || fail "uv was installed but does not run. Remove $LOCAL/uv and run it again."
}

# Prints an interpreter that really runs; pyenv's shims may be on PATH and not run. Without one: the version,
# on which uv downloads an interpreter.
find_python() {
    local candidate
    for candidate in "python$PYTHON_VERSION" python3 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$PYTHON_VERSION"*/bin/python3; do
        if is_wanted "$candidate"; then
            "$candidate" -c 'import sys; print(sys._base_executable)'
            return
        fi
    done
    printf '%s\n' "$PYTHON_VERSION"
}

is_wanted() {
    "$1" -c "import sys, venv; sys.exit('%d.%d' % sys.version_info[:2] != '$PYTHON_VERSION')" 2>/dev/null
}

# sync DIRECTORY [options of uv sync]: makes a virtual environment hold exactly what a lock file says.
sync() {
    local directory=$1
    shift
    UV_PROJECT_ENVIRONMENT="$PWD/$directory" \
        env -u VIRTUAL_ENV "$UV" sync --quiet --locked --python "$(find_python)" "$@" ||
        fail "uv could not fill $directory; its message is above. If it speaks of the lock file, pyproject.toml was" \
            "changed without it: run $UV lock. If it speaks of the network, run it again."
}

install_python_packages() {
    say "Python packages (.venv)"
    sync .venv
    .venv/bin/python infrastructure/local/openmp.py "$UV"
}

install_cdk() {
    say "CDK command line (node_modules)"
    PATH="$PWD/.venv/bin:$PATH" .venv/bin/npm ci --no-audit --no-fund --loglevel=error ||
        fail "npm could not install the CDK command line; its message is above. If it speaks of the network, run it again."
}

install_local_aws() {
    say "local AWS ($LOCAL/emulator and, for its Lambdas, $LOCAL/runtime)"
    # With bytecode: neither ministack nor its Lambdas write any.
    sync "$LOCAL/emulator" --project infrastructure/local/aws --only-group emulator --compile-bytecode
    sync "$LOCAL/runtime" --project infrastructure/local/aws --only-group runtime --compile-bytecode
}

# Two makes at once take turns, where the system has flock.
mkdir -p "$LOCAL"
exec 9>"$LOCAL/setup.lock"
if command -v flock >/dev/null; then flock 9; fi

case "${1:-}" in
    uv) install_uv ;;
    python) install_python_packages ;;
    cdk) install_cdk ;;
    aws) install_local_aws ;;
    *) fail "usage: setup.sh uv|python|cdk|aws" ;;
esac
