# shellcheck shell=bash
# What the scripts that run tests share. Source it, do not run it.

source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

ROOM_IN_MEMORY=4194304 # KiB

# keep_files_in_memory: lets the tests' files lie in memory where there is room, and where programs may run: the emulator unpacks a
# function anew for each of its processes, which on a disk costs more than to run it. They go when all tests pass.
keep_files_in_memory() {
  local free
  [ -z "${PYTEST_DEBUG_TEMPROOT:-}" ] && [ -w /dev/shm ] || return 0
  free=$(df -Pk /dev/shm | awk 'NR == 2 { print $4 }')
  [ "${free:-0}" -ge "$ROOM_IN_MEMORY" ] || return 0
  # A short name: Terraform and its provider talk over a socket below it, and a socket's path has 107 characters.
  PYTEST_DEBUG_TEMPROOT=$(mktemp -d /dev/shm/t.XXXXXX)
  trap 'forget_files $?' EXIT
  printf '#!/bin/sh\n' >"$PYTEST_DEBUG_TEMPROOT/program"
  chmod 700 "$PYTEST_DEBUG_TEMPROOT/program"
  if "$PYTEST_DEBUG_TEMPROOT/program" 2>/dev/null; then
    export PYTEST_DEBUG_TEMPROOT
  else
    forget_files 0
    unset PYTEST_DEBUG_TEMPROOT
    trap - EXIT
  fi
}

# forget_files STATUS: removes them, unless a test has failed.
forget_files() {
  if [ "$1" = 0 ]; then
    rm -rf "$PYTEST_DEBUG_TEMPROOT"
  else
    say "the tests' files are in $PYTEST_DEBUG_TEMPROOT, which is memory: remove it when you have looked at them"
  fi
}
