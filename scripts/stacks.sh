# shellcheck shell=bash
# shellcheck disable=SC2034 # Some of the variables are used by the scripts that source this.
# Shared by the scripts that deploy with CloudFormation. Source it, do not run it.
source "$(dirname "${BASH_SOURCE[0]}")/aws.sh"

settings ENVIRONMENT OWNER CONTACT
VPC_STACK=$STACK_NAME-vpc ECS_STACK=$STACK_NAME-ecs ALB_STACK=$STACK_NAME-alb LEDGER_STACK=$STACK_NAME-ledger LAMBDA_STACK=$STACK_NAME-lambda
API_STACK=$STACK_NAME-api FLEET_STACK=$STACK_NAME-fleet PUSH_STACK=$STACK_NAME-push CODEPIPELINE_STACK=$STACK_NAME-codepipeline
OPERATIONS_STACK=$STACK_NAME-operations TARGET_STACK=$STACK_NAME-target WAF_STACK=$STACK_NAME-waf NOTIFY_STACK=$STACK_NAME-notify

# read_stack STACK: sets `stack_status`, empty without such a stack, and `stack_owner`, its ownership tag. Adds its outputs to the
# associative array `output`.
read_stack() {
  local answer name value
  stack_status='' stack_owner=''
  capture cloudformation describe-stacks --stack-name "$1" --query \
    "Stacks[0].[[[StackStatus, (Tags[?Key=='$OWNERSHIP_TAG'].Value)[0]]], not_null(Outputs, \`[]\`)[].[OutputKey, OutputValue]][]" ||
    case $answer in
      *"does not exist"*) return 0 ;;
      *) fail "stack $1 cannot be read: $(error_of "$answer")" ;;
    esac
  while IFS=$'\t' read -r name value; do
    if [ -n "$stack_status" ]; then output[$name]=$value; else stack_status=$name stack_owner=$value; fi
  done <<<"$answer"
}

# manages_log_role: succeeds if the API's stack has the role with which API Gateway writes logs.
manages_log_role() {
  local answer
  capture cloudformation list-stack-resources --stack-name "$API_STACK" \
    --query "StackResourceSummaries[?LogicalResourceId=='LogsRole' && ResourceStatus!='DELETE_COMPLETE'].LogicalResourceId" &&
    [ "$answer" = LogsRole ]
}

# read_first_failure STACK: prints the resource that failed first in the stack's last operation, with the reason.
read_first_failure() {
  { aws_cli cloudformation describe-stack-events --stack-name "$1" --output text --query \
    'StackEvents[].[LogicalResourceId,ResourceType,ResourceStatus,ResourceStatusReason]' 2>/dev/null || true; } |
    awk -F '\t' -v stack="$1" '
      $3 ~ /_FAILED$/ && $4 !~ /cancelled/ { reason = $1 " (" $2 "): " $4 }
      $1 == stack && $3 ~ /^(CREATE|UPDATE|DELETE)_IN_PROGRESS$/ { exit }
      END { print reason }'
}

# describe_failure STACK LOG: prints the reason of a failed deployment: the stack's first failure, or else the error in the log.
describe_failure() {
  local reason
  grep -m 1 -o -E '(An error occurred|Failed to create the changeset).*' "$2" && return
  reason=$(read_first_failure "$1")
  printf '%s\n' "${reason:-$(error_of "$(<"$2")")}"
}

# check_stack STACK: fails if the stack cannot be updated. Removes a stack whose creation was rolled back.
check_stack() {
  read_stack "$1"
  # A stack in review has its tags in a change set that was never executed. The next change set fills it.
  case $stack_status in '' | REVIEW_IN_PROGRESS) return ;; esac
  [ "$stack_owner" = "$STACK_NAME" ] ||
    fail "stack $1 belongs to another deployment: it has no tag $OWNERSHIP_TAG=$STACK_NAME. Use another STACK_NAME"
  case $stack_status in
    ROLLBACK_COMPLETE)
      say "removing stack $1: its creation failed and was rolled back"
      aws_cli cloudformation delete-stack --stack-name "$1"
      aws_cli cloudformation wait stack-delete-complete --stack-name "$1"
      ;;
    *_IN_PROGRESS) fail "stack $1 is being changed ($stack_status): wait until it is done, then run this again" ;;
    *_FAILED) fail "stack $1 is incomplete ($stack_status): $(hint clean) removes it, then run this again. $(read_first_failure "$1")" ;;
  esac
}

# stack_tags: fills the array `tags` with a stack's tags, which CloudFormation adds to its resources.
stack_tags() { tags=("environment=$ENVIRONMENT" "owner=$OWNER" "contact=$CONTACT" "$OWNERSHIP_TAG=$STACK_NAME"); }

# deploy_stack STACK TEMPLATE [NAME=VALUE ...]: deploys a template with a change set. CloudFormation takes a template of more than 51,200
# bytes only from a bucket.
deploy_stack() {
  local stack=$1 template=$2 log=$BUILD_DIR/$1.log tags from=()
  [ "$(wc -c <"$template")" -le 51200 ] || from=(--s3-bucket "${bucket:?is not set: call make_bucket first}")
  shift 2
  check_stack "$stack"
  stack_tags
  say "deploying stack $stack"
  aws_cli cloudformation deploy --stack-name "$stack" --template-file "$template" "${from[@]}" --capabilities CAPABILITY_NAMED_IAM \
    --no-fail-on-empty-changeset ${1:+--parameter-overrides "$@"} --tags "${tags[@]}" >"$log" 2>&1 && return
  fail "stack $stack could not be deployed: $(describe_failure "$stack" "$log")"
}
