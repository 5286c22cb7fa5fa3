# shellcheck shell=bash
# shellcheck disable=SC2034 # Some of the variables are used by the scripts that source this.
# What the scripts share that talk to AWS: where that is, and the aws cli. Source it, do not run it.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

settings TARGET AWS_DEFAULT_REGION STACK_NAME EMULATOR_PORT
AWS_CLI=${AWS_CLI:-$TOOLS_DIR/aws/bin/aws}
# Everything that the pipelines make carries this tag, but for the service, whose tags are an event's; `make clean` touches nothing
# without it.
OWNERSHIP_TAG=ecs-updater
# The account and region to which something was deployed from this build directory, and the names that it has there.
ACCOUNT_FILE=$BUILD_DIR/account
# A script that sets it changes nothing, so nobody need be asked. The shell that it runs in has no say in it.
ONLY_READS=
# What network, cluster, function and API have to tell, by the names of CloudFormation's outputs.
declare -A output=()

# stay_local: a local run forgets what the shell knows of AWS: no profile, no credential, no endpoint of a single service and no
# proxy can take a call anywhere but to the emulator.
stay_local() {
  local name
  # Where the emulator listens was decided when it was started.
  [ -n "${EMULATOR_HOST:-}" ] || [ ! -f "$BUILD_DIR/sam-mode" ] || read -r _ EMULATOR_HOST <"$BUILD_DIR/sam-mode"
  export EMULATOR_HOST=${EMULATOR_HOST:-127.0.0.1}
  for name in "${!AWS_@}"; do
    case $name in AWS_CLI | AWS_DEFAULT_REGION) ;; *) unset "$name" ;; esac
  done
  export AWS_DEFAULT_REGION
  export AWS_ENDPOINT_URL=http://$EMULATOR_HOST:${EMULATOR_PORT:?}
  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
  export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true
  export NO_PROXY=$EMULATOR_HOST no_proxy=$EMULATOR_HOST
}

case $TARGET in
  local) stay_local ;;
  # Some tools prefer AWS_REGION, which a shell may have: there is one region, and it is the setting's.
  aws) export AWS_DEFAULT_REGION AWS_REGION=$AWS_DEFAULT_REGION ;;
  *) fail "TARGET=$TARGET is no target: local for the emulator, aws for an account" ;;
esac

# need_aws: installs the aws cli when it is the one of this project, and checks that the target can be used: that the emulator
# answers, or that there is an account and that it is the one that is meant. Sets ACCOUNT, the account's number.
need_aws() {
  [[ $AWS_CLI != "$TOOLS_DIR"/* ]] || tool aws
  need "$AWS_CLI" "install the aws cli, or leave AWS_CLI unset for the one of this project"
  if [ "$TARGET" = aws ]; then
    need_account
  else
    (exec 3<>"/dev/tcp/$EMULATOR_HOST/$EMULATOR_PORT") 2>/dev/null ||
      fail "no emulator answers on $EMULATOR_HOST:$EMULATOR_PORT: make emulator-up, or TARGET=aws for an account"
    ACCOUNT=000000000000
  fi
}

# need_account: names account and region and asks, once for a whole pipeline, before anything there is changed.
need_account() {
  local caller place names deployed answer
  if [ -n "${CONFIRMED_ACCOUNT:-}" ]; then
    ACCOUNT=$CONFIRMED_ACCOUNT
    return
  fi
  capture sts get-caller-identity --query '[Account, Arn]' ||
    fail "AWS does not know who you are: $(error_of "$answer"). Log in, or take TARGET=local for the emulator"
  IFS=$'\t' read -r ACCOUNT caller <<<"$answer"
  place="account $ACCOUNT, region $AWS_DEFAULT_REGION"
  names="STACK_NAME=$STACK_NAME CLUSTER_NAME=${CLUSTER_NAME:-} SERVICE_NAME=${SERVICE_NAME:-}"
  names+=" TASK_DEFINITION_NAME=${TASK_DEFINITION_NAME:-} LAMBDA_FUNCTION_NAME=${LAMBDA_FUNCTION_NAME:-}"
  if [ -f "$ACCOUNT_FILE" ]; then
    mapfile -t deployed <"$ACCOUNT_FILE"
    [ "${deployed[0]}" = "$place" ] ||
      fail "what $BUILD_DIR has deployed is in ${deployed[0]}, and this is $place: go back there for make clean, or take another BUILD_DIR"
    [ "${deployed[1]}" = "$names" ] ||
      fail "what $BUILD_DIR has deployed has other names: give ${deployed[1]}, or take another BUILD_DIR"
  fi
  say "$place, as $caller${AWS_ENDPOINT_URL:+, at $AWS_ENDPOINT_URL}"
  [ -z "$ONLY_READS" ] || return 0
  if [ -z "${YES:-}" ]; then
    [ -t 0 ] || fail "this changes $place: YES=1 says that it may, since there is no terminal to ask on"
    read -r -p "Change this account? [y/N] " answer || true
    case ${answer,,} in y | yes) ;; *) fail "nothing was changed" ;; esac
  fi
  mkdir -p "$BUILD_DIR"
  printf '%s\n' "$place" "$names" >"$ACCOUNT_FILE"
  export CONFIRMED_ACCOUNT=$ACCOUNT
}

# aws_cli ...: the aws cli. Versions before 2.13 do not know AWS_ENDPOINT_URL, so the endpoint is an option.
aws_cli() { AWS_PAGER='' "$AWS_CLI" ${AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"} "$@"; }

# capture SERVICE ACTION ...: a call; sets `answer` to its answer as text or, when it fails, to what the cli says of it. What a call
# that goes well says beside its answer, such as a warning, is no part of it.
capture() {
  local errors=$BUILD_DIR/aws-errors-$BASHPID status=0
  mkdir -p "$BUILD_DIR"
  answer=$(aws_cli "$@" --output text 2>"$errors") || {
    status=$?
    answer=$(<"$errors")
  }
  rm -f "$errors"
  return "$status"
}

# ask SERVICE ACTION ...: a call whose answer is printed as text; ends the script with AWS's own words when it is refused.
ask() {
  local answer
  capture "$@" || fail "aws $1 $2 failed: $(error_of "$answer")"
  printf '%s\n' "$answer"
}

# hint TARGET ...: prints the command that makes these targets where this run goes.
hint() { echo "make $*$([ "$TARGET" != local ] || echo ' TARGET=local')"; }
DEPLOY_FUNCTION=(deploy-ecs-cluster deploy-ecs-service "deploy-lambda-$([ "$TARGET" = local ] && echo sam || echo aws)")

# bucket_name ACCOUNT: prints the name of the bucket for bundles. Names are unique over all accounts, so the account is in it.
bucket_name() { tr '[:upper:]' '[:lower:]' <<<"$STACK_NAME-artifacts-$1-$AWS_DEFAULT_REGION"; }

# account_log_role: sets `log_role`, who gives API Gateway the role that it writes logs with. That is one setting for all REST APIs
# of the account in a region: make, when there is none yet, or the one that this deployment made; keep, when it is another one, or the
# one that an earlier deployment left because others' APIs need it.
account_log_role() {
  local answer name=$LAMBDA_FUNCTION_NAME-api-logs-$AWS_DEFAULT_REGION
  capture apigateway get-account --query cloudwatchRoleArn ||
    fail "what API Gateway has set for the account cannot be read: $(error_of "$answer")"
  case $answer in
    '' | None) log_role="make" ;;
    *":role/$name") manages_log_role || ! capture iam get-role --role-name "$name" && log_role="make" || log_role=keep ;;
    *) log_role=keep ;;
  esac
}

# owners KIND NAME ...: prints for each resource its owner by its tag, its kind and its name. The owner is ours, others or none.
owners() {
  tool aws # The SDK, whichever aws cli is used.
  "$TOOLS_DIR/aws/bin/python3" "$PROJECT_DIR/scripts/teardown" owner "$STACK_NAME" "$@"
}

# refuse_others SETTING KIND NAME ...: ends the script when one of these resources belongs to somebody else.
refuse_others() {
  local found whom what setting=$1
  shift
  found=$(owners "$@")
  while read -r whom what; do
    [ "$whom" != others ] || fail "$what was not made here, for it has no tag $OWNERSHIP_TAG=$STACK_NAME: take another $setting"
  done <<<"$found"
}

# is_our_table: whether the table of the ledger, whose name it sets as LEDGER_TABLE, exists and belongs to this deployment.
is_our_table() {
  local found
  LEDGER_TABLE=$LAMBDA_FUNCTION_NAME-ledger
  found=$(owners table "$LEDGER_TABLE") || exit
  [ "${found%% *}" = ours ]
}

# error_of TEXT: prints the one line that matters of what a program said before it failed, or all of it on one line. Of one that was
# interrupted in Python's own start, and tells where, that is the last one.
error_of() {
  grep -m 1 'An error occurred' <<<"$1" && return
  [[ $1 != *"Traceback (most recent"* ]] || { grep . <<<"$1" | tail -n 1 && return; }
  tr -s '[:space:]' ' ' <<<"$1" | cut -c 1-300
}

# json TEXT: prints the text as a JSON string.
json() {
  local text=${1//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}

# json_list TEXT: prints the parts of a text, which commas separate, as a JSON list.
json_list() {
  local parts part separator=''
  IFS=, read -r -a parts <<<"$1"
  printf '['
  for part in "${parts[@]}"; do
    printf '%s%s' "$separator" "$(json "$part")"
    separator=', '
  done
  printf ']'
}

# need_queue [WORDS]: ends the script when the fleet's queue is not deployed; WORDS say what else could be done.
need_queue() {
  local answer name=$LAMBDA_FUNCTION_NAME-fleet.fifo
  capture sqs get-queue-url --queue-name "$name" --query QueueUrl ||
    case $answer in
      *NonExistentQueue* | *QueueDoesNotExist*) fail "there is no queue $name: $(hint deploy-fleet-aws)${1:-}" ;;
      *) fail "queue $name cannot be read: $(error_of "$answer")" ;;
    esac
}

# need_function: ends the script when the function is not deployed.
need_function() {
  local answer
  capture lambda get-function-configuration --function-name "$LAMBDA_FUNCTION_NAME" --query FunctionArn ||
    case $answer in
      *ResourceNotFoundException*) fail "there is no function $LAMBDA_FUNCTION_NAME: $(hint "${DEPLOY_FUNCTION[@]}")" ;;
      *) fail "function $LAMBDA_FUNCTION_NAME cannot be read: $(error_of "$answer")" ;;
    esac
}
