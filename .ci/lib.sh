# shellcheck shell=bash
# What the parts of .ci/run share. Sourced from the top of the repository.

readonly TOOLS=target/tools

step() {
    printf '\n== %s (after %d s)\n' "$1" "$SECONDS"
}

can_make_environments() {
    # Debian has `venv` without `ensurepip`, and an environment without pip is none.
    python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

need_python() {
    if can_make_environments; then
        return 0
    fi
    if [[ "$(id -u)" == 0 ]] && command -v apt-get >/dev/null; then
        apt-get update --quiet --quiet
        DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --yes python3 python3-venv
    fi
    if ! can_make_environments; then
        echo "Python 3.11 or later with venv and ensurepip is needed to check the template and the scripts:" >&2
        echo "install python3 and python3-venv (Debian, Ubuntu), or put such a python3 first in PATH." >&2
        return 1
    fi
}

# python_tools NAME: makes target/tools/NAME hold exactly what .ci/requirements/NAME.txt lists, file by file.
python_tools() {
    local wanted=".ci/requirements/$1.txt" home="$TOOLS/$1"
    if cmp --silent "$wanted" "$home/installed.txt" && "$home/bin/python" -c '' 2>/dev/null; then
        return 0
    fi
    need_python
    rm -rf "$home"
    python3 -m venv "$home"
    # The file lists everything, so that nothing else is looked for. Wheels only: a source archive would run its own
    # code to build itself, and need a compiler.
    "$home/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
        --requirement "$wanted"
    "$home/bin/pip" check
    cp "$wanted" "$home/installed.txt"
}
