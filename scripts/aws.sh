# shellcheck shell=bash
# shellcheck disable=SC2034 # The stacks' names and outputs are used by the scripts that source this.
# What the scripts share that talk to AWS: the aws cli held to the emulator, stacks and their outputs. Source it, do not run it.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

settings AWS_DEFAULT_REGION STACK_NAME EMULATOR_PORT
# Where the emulator listens was decided when it was started.
[ -n "${EMULATOR_HOST:-}" ] || [ ! -f "$BUILD_DIR/sam-mode" ] || read -r _ EMULATOR_HOST <"$BUILD_DIR/sam-mode"
EMULATOR_HOST=${EMULATOR_HOST:-127.0.0.1}
export EMULATOR_HOST
AWS_CLI=${AWS_CLI:-$TOOLS_DIR/aws/bin/aws}
VPC_STACK=$STACK_NAME-vpc ECS_STACK=$STACK_NAME-ecs LAMBDA_STACK=$STACK_NAME-lambda

# A local run forgets what the shell knows of AWS: no profile, no credential, no endpoint of a single service and no
# proxy can take a call anywhere but to the emulator.
stay_local() {
  local name
  for name in "${!AWS_@}"; do
    case $name in AWS_CLI | AWS_DEFAULT_REGION) ;; *) unset "$name" ;; esac
  done
  export AWS_DEFAULT_REGION
  export AWS_ENDPOINT_URL=http://$EMULATOR_HOST:${EMULATOR_PORT:?}
  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
  export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true
  export NO_PROXY=$EMULATOR_HOST no_proxy=$EMULATOR_HOST
}
stay_local

# need_aws: installs the aws cli when it is the one of this project, and checks that the emulator answers.
need_aws() {
  [[ $AWS_CLI != "$TOOLS_DIR"/* ]] || tool aws
  need "$AWS_CLI" "install the aws cli, or leave AWS_CLI unset for the one of this project"
  (exec 3<>"/dev/tcp/$EMULATOR_HOST/$EMULATOR_PORT") 2>/dev/null ||
    fail "no emulator answers on $EMULATOR_HOST:$EMULATOR_PORT: make emulator-up"
}

# aws_cli ...: the aws cli. Versions before 2.13 do not know AWS_ENDPOINT_URL, so the endpoint is an option.
aws_cli() { AWS_PAGER='' "$AWS_CLI" --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }

# error_of TEXT: prints the one line that matters of what a program said before it failed, or all of it on one line.
error_of() { grep -m 1 'An error occurred' <<<"$1" || tr -s '[:space:]' ' ' <<<"$1" | cut -c 1-300; }

# json TEXT: prints the text as a JSON string.
json() {
  local text=${1//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}

# stack_status STACK: prints its status, or nothing when there is no such stack.
stack_status() {
  aws_cli cloudformation describe-stacks --stack-name "$1" --query 'Stacks[0].StackStatus' --output text 2>/dev/null || true
}

# need_function: ends the script when the function is not deployed.
need_function() {
  [ -n "$(stack_status "$LAMBDA_STACK")" ] ||
    fail "there is no stack $LAMBDA_STACK: make deploy-ecs-cluster deploy-ecs-service deploy-lambda-sam"
}

# read_outputs STACK: adds the outputs of a stack to the associative array `output`.
declare -A output=()
read_outputs() {
  local name value
  while IFS=$'\t' read -r name value; do output[$name]=$value; done < <(
    aws_cli cloudformation describe-stacks --stack-name "$1" --output text \
      --query 'Stacks[0].Outputs[].[OutputKey,OutputValue]' 2>/dev/null
  )
}

# first_failure STACK: prints which resource failed first in the stack's last operation, and why.
first_failure() {
  { aws_cli cloudformation describe-stack-events --stack-name "$1" --output text --query \
    'StackEvents[].[LogicalResourceId,ResourceType,ResourceStatus,ResourceStatusReason]' 2>/dev/null || true; } |
    awk -F '\t' -v stack="$1" '
      $3 ~ /_FAILED$/ && $4 !~ /cancelled/ { reason = $1 " (" $2 "): " $4 }
      $1 == stack && $3 ~ /^(CREATE|UPDATE|DELETE)_IN_PROGRESS$/ { exit }
      END { print reason }'
}

# why STACK LOG: prints why a deployment failed: what the service refused at once, else the stack's first failure, else the log.
why() {
  local reason
  grep -m 1 -o 'An error occurred.*' "$2" && return
  reason=$(first_failure "$1")
  printf '%s\n' "${reason:-$(error_of "$(<"$2")")}"
}

# check_stack STACK: ends the script when a stack cannot be deployed onto; removes one whose creation was rolled back.
check_stack() {
  local status
  status=$(stack_status "$1")
  case $status in
    ROLLBACK_COMPLETE)
      say "removing stack $1: its creation failed before, and was rolled back"
      aws_cli cloudformation delete-stack --stack-name "$1"
      aws_cli cloudformation wait stack-delete-complete --stack-name "$1"
      ;;
    REVIEW_IN_PROGRESS) ;; # An empty shell around a change set that was never executed: the next one fills it.
    *_IN_PROGRESS) fail "stack $1 is still at work ($status): wait until it is done, then run this again" ;;
    *_FAILED) fail "stack $1 is half-built ($status): make clean removes it, then run this again. $(first_failure "$1")" ;;
  esac
}

# artifact_bucket ACCOUNT: prints the name of the bucket for bundles. Names are unique over all accounts, so the account is in it.
artifact_bucket() { tr '[:upper:]' '[:lower:]' <<<"$STACK_NAME-artifacts-$1-$AWS_DEFAULT_REGION"; }
