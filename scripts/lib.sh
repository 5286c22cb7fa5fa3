# shellcheck shell=bash
# What every script here shares: how it speaks, and how it fails. Source it, do not run it.
set -euo pipefail

PROJECT_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TOOLS_DIR=${TOOLS_DIR:-$PROJECT_DIR/.tools}
BUILD_DIR=${BUILD_DIR:-$PROJECT_DIR/build}
[[ $BUILD_DIR = /* ]] || BUILD_DIR=$PWD/$BUILD_DIR

# https://no-color.org
if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then
  MARK_STEP=$'\033[36m•\033[0m' MARK_FAILED=$'\033[31m✗\033[0m'
else
  MARK_STEP='•' MARK_FAILED='✗'
fi

# say TEXT: one line of progress, on standard error so that a script's answer can be read from standard output.
say() { printf '%s %s\n' "$MARK_STEP" "$*" >&2; }

# fail TEXT: one line that says what is wrong and what to do about it, then the end.
fail() {
  printf '%s %s\n' "$MARK_FAILED" "$*" >&2
  exit 1
}

# need PROGRAM HOW: ends the script, saying how to get it, when a program is not there.
need() { command -v "$1" >/dev/null || fail "$1 is not installed: $2"; }

# tool NAME: installs the locked environment NAME where it is missing or out of date.
tool() { "$PROJECT_DIR/scripts/install-tool" "$1"; }
