# SPDX-License-Identifier: GPL-3.0-or-later
# What every script here shares: where things are, how a step reports, how a step knows it is up to date.
# Sourced by scripts/{setup,demo,test}; the caller has `set -euo pipefail`.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=$ROOT/build
VENV=$ROOT/.venv
PLUGIN_BUILD=$BUILD/plugin
LOGS=$BUILD/logs
STAMPS=$BUILD/stamps
SYSTEM=$(uname -s)

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# SHA-256 of the names and contents of files and folders: the same after a clone, whatever the time stamps say.
content_hash() {
    local sum=(sha256sum)
    command -v sha256sum > /dev/null || sum=(shasum -a 256)
    (cd "$ROOT" && find "$@" -type f -not -path '*/__pycache__/*' -print0 2> /dev/null | LC_ALL=C sort -z |
        xargs -0 "${sum[@]}" | "${sum[@]}" | cut -d ' ' -f 1)
}

fresh() { [[ -f $STAMPS/$1 && $(< "$STAMPS/$1") == "$2" ]]; }
stamp() { mkdir -p "$STAMPS" && printf '%s\n' "$2" > "$STAMPS/$1"; }

# logged NAME WHAT COMMAND...: runs a long command with its output in build/logs/NAME.log. Shows the seconds and the last
# line on a terminal, a sign of life every 15 s elsewhere; on failure the end of the log and where to find all of it.
logged() {
    local name=$1 what=$2 log=$LOGS/$1.log start=$SECONDS pid rc=0 shown=0
    shift 2
    mkdir -p "$LOGS"
    say "$what"
    "$@" > "$log" 2>&1 < /dev/null &
    pid=$!
    while kill -0 "$pid" 2> /dev/null; do
        sleep 0.5
        if [[ -t 1 ]]; then
            printf '\r\033[K    %4d s  %.100s' $((SECONDS - start)) "$(tail -n 1 "$log" | tr -d '\r\033')"
        elif ((SECONDS - start >= shown + 15)); then
            shown=$((SECONDS - start))
            printf '    %4d s  %.100s\n' "$shown" "$(tail -n 1 "$log" | tr -d '\r\033')"
        fi
    done
    wait "$pid" || rc=$?
    [[ -t 1 ]] && printf '\r\033[K'
    if ((rc != 0)); then
        tail -n 40 "$log" >&2
        die "this step failed: $what. Its whole output: $log"
    fi
    printf '    done in %d s\n' $((SECONDS - start))
}

# One compiler process for each core, but no more than memory allows (JUCE's largest files take over 1 GB each).
build_jobs() {
    local cores kb
    cores=$(getconf _NPROCESSORS_ONLN)
    kb=$(awk '/MemAvailable/ { print $2 }' /proc/meminfo 2> /dev/null || echo 8000000)
    local fit=$((kb / 1500000))
    ((fit < 1)) && fit=1
    echo $((fit < cores ? fit : cores))
}

as_root() {
    if [[ $(id -u) == 0 ]]; then
        "$@"
    elif command -v sudo > /dev/null; then
        sudo "$@"
    else
        die "this needs root, and there is no sudo. As root, run: $*"
    fi
}

# A C++ compiler launcher makes a rebuild of unchanged files nearly free, also in a second checkout.
if command -v ccache > /dev/null; then
    export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
    export CCACHE_BASEDIR=$ROOT CCACHE_NOHASHDIR=1 # paths relative to the tree, so that checkouts share
fi
