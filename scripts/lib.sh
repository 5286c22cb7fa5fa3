# shellcheck shell=bash
# Shared by all scripts: output and failure. Source it, do not run it.
set -euo pipefail

unset CDPATH # With it, cd may go to another directory and print it.
PROJECT_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TOOLS_DIR=${TOOLS_DIR:-$PROJECT_DIR/.tools}
BUILD_DIR=${BUILD_DIR:-$PROJECT_DIR/build}
[[ $BUILD_DIR = /* ]] || BUILD_DIR=$PWD/$BUILD_DIR
export TOOLS_DIR BUILD_DIR

# https://no-color.org
if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then
  MARK_STEP=$'\033[36m•\033[0m' MARK_FAILED=$'\033[31m✗\033[0m'
else
  MARK_STEP='•' MARK_FAILED='✗'
fi

# say TEXT: prints one line of progress on standard error, because standard output is for a script's result.
# A closed standard error is not a failure: Ctrl-C also ends the `tee` behind a pipeline, which must still clean up.
say() { printf '%s %s\n' "$MARK_STEP" "$*" >&2 || true; }

# fail TEXT: prints one line with the error and the remedy, then exits with 1.
fail() {
  printf '%s %s\n' "$MARK_FAILED" "$*" >&2
  exit 1
}

# need PROGRAM HOW: fails with installation advice if a program is missing.
need() { command -v "$1" >/dev/null || fail "$1 is not installed: $2"; }

# tool NAME ...: installs locked environments that are missing or out of date. A pipeline has checked PIPELINE_TOOLS.
tool() { [ $# = 1 ] && [[ " ${PIPELINE_TOOLS:-} " = *" $1 "* ]] || "$PROJECT_DIR/scripts/install-tool" "$@"; }

# settings NAME ...: fails if a setting is missing.
settings() {
  local name
  for name in "$@"; do
    [ -n "${!name:-}" ] || fail "the setting $name is empty: omit it to use its default, or give it a value"
  done
}

# need_target: fails if this directory's emulator runs and the caller has not chosen a target, so that nobody changes an account by
# mistake. Prints the command with each target.
need_target() {
  [ "$TARGET" = aws ] && [ "${TARGET_ORIGIN:-file}" = file ] && [ -z "${CONFIRMED_ACCOUNT:-}" ] &&
    kill -0 "$(cat "$BUILD_DIR/emulator/pid" 2>/dev/null)" 2>/dev/null || return 0
  fail "the emulator of this directory runs, so choose the target. Nothing was changed:
  make ${GOALS:-…}${SETTINGS:+ $SETTINGS} TARGET=local  # the emulator
  make ${GOALS:-…}${SETTINGS:+ $SETTINGS} TARGET=aws    # the account of the aws cli"
}

[ $((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1])) -ge 404 ] || fail "this is bash $BASH_VERSION: 4.4 or newer is needed (macOS: brew install bash)"

# Checked here, because a later program would report a wrong value in its own words.
[[ ${EMULATOR_PORT-4566} =~ ^[1-9][0-9]{0,4}$ && ${EMULATOR_PORT-4566} -le 65535 ]] ||
  fail "EMULATOR_PORT=$EMULATOR_PORT is not a valid port: use a number from 1 to 65535"
[[ ${RECONCILE_SECONDS-0} =~ ^[0-9]+$ ]] || fail "RECONCILE_SECONDS=$RECONCILE_SECONDS is not valid: use a number of seconds, or 0"
[[ ${API_AUTH-key} =~ ^(key|iam|jwt)$ ]] || fail "API_AUTH=$API_AUTH is not valid: use key, iam or jwt"
[[ ${STRATEGY-ROLLING} =~ ^(ROLLING|BLUE_GREEN|LINEAR|CANARY)$ ]] ||
  fail "STRATEGY=$STRATEGY is not valid: use ROLLING, BLUE_GREEN, LINEAR or CANARY"

# shifts_traffic: succeeds if the strategy of the service needs the load balancer.
shifts_traffic() { [ "${STRATEGY:-ROLLING}" != ROLLING ]; }

# say_what_differs: says where the emulator stops with a strategy that shifts traffic.
say_what_differs() {
  ! shifts_traffic || [ "$TARGET" != local ] ||
    say "the emulator keeps STRATEGY=$STRATEGY but has no stages of a deployment: it updates the service like a rolling one"
}

# check_length NAME PATTERN MOST LEFT WORDS: fails if a setting does not match, or has more than MOST or LEFT characters. LEFT is the
# room for it in the longest derived name in this region, MOST the room in a region with a long name.
check_length() {
  local value=${!1:-} most=$3
  [ "$4" -ge "$most" ] || most=$4
  [ -z "$value" ] || [[ $value =~ ^$2$ && ${#value} -le $most ]] ||
    fail "$1=$value has ${#value} characters and cannot be used: use 1 to $most $5"
}

# Checked before anything is created. Scripts that only remove accept every name.
case ${0##*/} in
  clean | clean-docker | deployer-policy | emulator | remove-deployment) ;;
  *)
    region=${AWS_DEFAULT_REGION:-}
    check_length STACK_NAME '[a-zA-Z][a-zA-Z0-9-]*' 25 $((63 - 24 - ${#region})) \
      "letters, digits and hyphens, a letter first, to fit into the bucket's name STACK_NAME-artifacts-ACCOUNT-REGION"
    case "${0##*/} ${1:-}" in
      deploy-target-aws* | 'deploy-tf target')
        check_length LAMBDA_FUNCTION_NAME '[a-zA-Z0-9_-]+' 35 $((64 - 15 - ${#region})) \
          "letters, digits, hyphens and underscores, to fit into the role's name LAMBDA_FUNCTION_NAME-target-update-REGION"
        ;;
    esac
    check_length LAMBDA_FUNCTION_NAME '[a-zA-Z0-9_-]+' 38 $((64 - 12 - ${#region})) \
      "letters, digits, hyphens and underscores, to fit into the role's name LAMBDA_FUNCTION_NAME-api-status-REGION"
    unset region
    ;;
esac
