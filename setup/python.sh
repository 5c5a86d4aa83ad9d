#!/bin/sh
# Runs the given arguments with a Python that is new enough: a recent one on PATH, else the distribution's.
# With --install before them, and where there is none, the distribution's is installed first (Debian, as root).
set -eu

find_python() {
    for candidate in python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11; do
        # Of a virtual environment's Python, the one it was made from: setup may have to replace the environment.
        "$candidate" -c '
import sys
if sys.version_info < (3, 11):
    sys.exit(1)
print(getattr(sys, "_base_executable", sys.executable))' 2>/dev/null && return 0
    done
    return 1
}

install_python() {
    echo "installing python3"
    export DEBIAN_FRONTEND=noninteractive
    said=$(apt-get update -qq 2>&1 &&
        apt-get install -y -qq --no-install-recommends python3 python3-venv 2>&1) || {
        printf '%s\n' "$said" | tail -n 5 >&2
        echo "python3 could not be installed; check the machine's package sources" >&2
        exit 1
    }
}

may_install=no
if [ "${1:-}" = --install ]; then
    may_install=yes
    shift
fi
if ! python=$(find_python); then
    if [ $may_install = yes ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        install_python
    fi
    python=$(find_python) || {
        echo "Python 3.11 or newer is needed and was not found; on Debian: apt-get install python3 python3-venv" >&2
        exit 1
    }
fi
exec "$python" "$@"
