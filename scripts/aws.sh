# shellcheck shell=bash
# shellcheck disable=SC2034 # Some of the variables are used by the scripts that source this.
# Shared by the scripts that call AWS: the target and the aws cli. Source it, do not run it.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

settings TARGET AWS_DEFAULT_REGION STACK_NAME EMULATOR_PORT
AWS_CLI=${AWS_CLI:-$TOOLS_DIR/aws/bin/aws}
# Tag of everything that the pipelines create, except the service, whose tags are the event's. `make clean` removes only what has it.
OWNERSHIP_TAG=ecs-updater
# Account, region and names of what was deployed from this build directory.
ACCOUNT_FILE=$BUILD_DIR/account
# Scripts that change nothing set it and need no confirmation. The environment cannot set it.
ONLY_READS=
# Outputs of the stacks or modules, by the names of CloudFormation's outputs.
declare -A output=()

# stay_local: removes the shell's AWS settings (profile, credentials, endpoints, proxy), so that every call goes to the emulator.
stay_local() {
  local name
  # The address was chosen when the emulator was started.
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

[ "${0##*/}" = deployer-policy ] || need_target
case $TARGET in
  local) stay_local ;;
  # Some tools prefer AWS_REGION, so both have the setting's region.
  aws) export AWS_DEFAULT_REGION AWS_REGION=$AWS_DEFAULT_REGION ;;
  *) fail "TARGET=$TARGET is not valid: use local for the emulator or aws for an account" ;;
esac

# need_aws: installs the project's aws cli unless AWS_CLI is another one, and checks the target: that the emulator answers, or which
# account the credentials belong to. Sets ACCOUNT, the account's id.
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

# need_account: prints account and region and asks for confirmation, once per pipeline.
need_account() {
  local caller place names deployed answer
  if [ -n "${CONFIRMED_ACCOUNT:-}" ]; then
    ACCOUNT=$CONFIRMED_ACCOUNT
    return
  fi
  capture sts get-caller-identity --query '[Account, Arn]' ||
    fail "the AWS credentials do not work: $(error_of "$answer"). Log in, or use TARGET=local for the emulator"
  IFS=$'\t' read -r ACCOUNT caller <<<"$answer"
  place="account $ACCOUNT, region $AWS_DEFAULT_REGION"
  names="STACK_NAME=$STACK_NAME CLUSTER_NAME=${CLUSTER_NAME:-} SERVICE_NAME=${SERVICE_NAME:-}"
  names+=" TASK_DEFINITION_NAME=${TASK_DEFINITION_NAME:-} LAMBDA_FUNCTION_NAME=${LAMBDA_FUNCTION_NAME:-}"
  if [ -f "$ACCOUNT_FILE" ]; then
    mapfile -t deployed <"$ACCOUNT_FILE"
    [ "${deployed[0]}" = "$place" ] ||
      fail "$BUILD_DIR was used to deploy to ${deployed[0]}, and this is $place: run make clean there, or use another BUILD_DIR"
    [ "${deployed[1]}" = "$names" ] ||
      fail "$BUILD_DIR was used to deploy other names: use ${deployed[1]}, or another BUILD_DIR"
  fi
  say "$place, as $caller${AWS_ENDPOINT_URL:+, at $AWS_ENDPOINT_URL}"
  [ -z "$ONLY_READS" ] || return 0
  if [ -z "${YES:-}" ]; then
    [ -t 0 ] || fail "this changes $place: confirm with YES=1, because there is no terminal to ask"
    read -r -p "Change this account? [y/N] " answer || true
    case ${answer,,} in y | yes) ;; *) fail "nothing was changed" ;; esac
  fi
  mkdir -p "$BUILD_DIR"
  printf '%s\n' "$place" "$names" >"$ACCOUNT_FILE"
  export CONFIRMED_ACCOUNT=$ACCOUNT
}

# aws_cli ...: runs the aws cli. Versions before 2.13 ignore AWS_ENDPOINT_URL, so the endpoint is an option.
aws_cli() { AWS_PAGER='' "$AWS_CLI" ${AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"} "$@"; }

# capture SERVICE ACTION ...: calls AWS. Sets `answer` to the result as text or, on failure, to the error message. Warnings of a
# successful call are omitted.
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

# ask SERVICE ACTION ...: calls AWS and prints the result as text. Fails with AWS's message.
ask() {
  local answer
  capture "$@" || fail "aws $1 $2 failed: $(error_of "$answer")"
  printf '%s\n' "$answer"
}

# hint TARGET ...: prints the make command for these targets and this run's TARGET.
hint() { echo "make $*$([ "$TARGET" != local ] || echo ' TARGET=local')"; }
DEPLOY_FUNCTION=(deploy-ecs-cluster deploy-ecs-service "deploy-lambda-$([ "$TARGET" = local ] && echo sam || echo aws)")

# bucket_name ACCOUNT: prints the name of the bucket for bundles. Bucket names are global, so it contains the account.
bucket_name() { tr '[:upper:]' '[:lower:]' <<<"$STACK_NAME-artifacts-$1-$AWS_DEFAULT_REGION"; }

# account_log_role: sets `log_role`. The role with which API Gateway writes logs is one setting per account and region. make: there is
# none, or this deployment created it. keep: it is another one, or an earlier deployment left it because other APIs use it.
account_log_role() {
  local answer name=$LAMBDA_FUNCTION_NAME-api-logs-$AWS_DEFAULT_REGION
  capture apigateway get-account --query cloudwatchRoleArn ||
    fail "the API Gateway settings of the account cannot be read: $(error_of "$answer")"
  case $answer in
    '' | None) log_role="make" ;;
    *":role/$name") manages_log_role || ! capture iam get-role --role-name "$name" && log_role="make" || log_role=keep ;;
    *) log_role=keep ;;
  esac
}

# teardown ARGUMENT ...: runs scripts/teardown with the SDK in the environment of the aws cli, whichever aws cli is used.
teardown() {
  tool aws
  if [ -n "${PIPELINE_TEARDOWN:-}" ]; then "$PIPELINE_TEARDOWN" "$@"; else "$TOOLS_DIR/aws/bin/python3" "$PROJECT_DIR/scripts/teardown" "$@"; fi
}

# owners KIND NAME ...: prints owner, kind and name of each resource. The owner, by its tag, is ours, others or none.
owners() { teardown owner "$STACK_NAME" "$@"; }

# refuse_others SETTING KIND NAME ...: fails if one of these resources belongs to another deployment.
refuse_others() {
  local found holder what setting=$1
  shift
  found=$(owners "$@")
  while read -r holder what; do
    [ "$holder" != others ] || fail "$what belongs to another deployment: it has no tag $OWNERSHIP_TAG=$STACK_NAME. Use another $setting"
  done <<<"$found"
}

# is_our_table: sets LEDGER_TABLE. Succeeds if the table exists and belongs to this deployment.
is_our_table() {
  local found
  LEDGER_TABLE=$LAMBDA_FUNCTION_NAME-ledger
  found=$(owners table "$LEDGER_TABLE") || exit
  [ "${found%% *}" = ours ]
}

# error_of TEXT: prints the line with the error from a program's output, or all of it on one line, without a full stop at its end. Of
# a Python traceback it is the last line.
error_of() {
  if [[ $1 = *"An error occurred"* ]]; then
    grep -m 1 'An error occurred' <<<"$1"
  elif [[ $1 = *"Traceback (most recent"* ]]; then
    grep . <<<"$1" | tail -n 1
  else
    tr -s '[:space:]' ' ' <<<"$1" | cut -c 1-300
  fi | sed 's/[. ]*$//'
}

# json TEXT: prints the text as a JSON string.
json() {
  local text=${1//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}

# json_list TEXT: prints the comma-separated parts of a text as a JSON list.
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

# need_queue [WORDS]: fails if the queue is not deployed. WORDS name an alternative.
need_queue() {
  local answer name=$LAMBDA_FUNCTION_NAME-fleet.fifo
  capture sqs get-queue-url --queue-name "$name" --query QueueUrl ||
    case $answer in
      *NonExistentQueue* | *QueueDoesNotExist*) fail "there is no queue $name: $(hint deploy-fleet-aws)${1:-}" ;;
      *) fail "queue $name cannot be read: $(error_of "$answer")" ;;
    esac
}

# need_function: fails if the function is not deployed.
need_function() {
  local answer
  capture lambda get-function-configuration --function-name "$LAMBDA_FUNCTION_NAME" --query FunctionArn ||
    case $answer in
      *ResourceNotFoundException*) fail "there is no function $LAMBDA_FUNCTION_NAME: $(hint "${DEPLOY_FUNCTION[@]}")" ;;
      *) fail "function $LAMBDA_FUNCTION_NAME cannot be read: $(error_of "$answer")" ;;
    esac
}
