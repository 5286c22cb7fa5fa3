# shellcheck shell=bash
# shellcheck disable=SC2034 # Some of the variables are used by the scripts that source this.
# Shared by the scripts that deploy the function with CloudFormation: bundle, bucket, templates, ledger. Source it, do not run it.
source "$(dirname "${BASH_SOURCE[0]}")/stacks.sh"
source "$(dirname "${BASH_SOURCE[0]}")/bundle.sh"

settings CLUSTER_NAME TASK_DEFINITION_NAME LAMBDA_FUNCTION_NAME LAMBDA_RUNTIME LAMBDA_ARCH RESERVED_CONCURRENCY DELETION_PROTECTION

# What events of the function, the API and the queue may name.
allowed=("AllowedImages=${ALLOWED_IMAGES:-}" "AllowedServices=${ALLOWED_SERVICES:-}" "AllowedFields=${ALLOWED_FIELDS:-}"
  "AllowedSecrets=${ALLOWED_SECRETS:-}")

# allows FIELD: prints whether ALLOWED_FIELDS has it, so that the functions get the permissions it needs.
allows() { case ",${ALLOWED_FIELDS:-}," in *",$1,"* | *',*,'*) echo true ;; *) echo false ;; esac; }
tasks=("RunTasks=$(allows run_before)" "TaskLogGroupName=${TASK_LOG_GROUP:-}" "ExpressServices=${EXPRESS_SERVICES:-false}")

# What every stack with functions has.
shared=("Tracing=${TRACING:-PassThrough}" "KmsKeyArn=${KMS_KEY_ARN:-}")

# Where verdicts are sent, for ledger and function.
notifications=("EventBusName=${EVENT_BUS:-}" "NotifyTopicArn=${NOTIFY_TOPIC_ARN:-}")

# The targets of ledger and function.
targets=("TargetsParameterName=${TARGETS_PARAMETER:-}" "TargetRoleArns=${TARGET_ROLE_ARNS:-}")

# need_passable_roles: sets `passable_roles`: PASSABLE_ROLE_ARNS, or the execution role of the demo's cluster.
need_passable_roles() {
  passable_roles=${PASSABLE_ROLE_ARNS:-}
  [ -z "$passable_roles" ] || return 0
  read_stack "$ECS_STACK"
  passable_roles=${output[TaskExecutionRoleArn]:-}
  [ -n "$passable_roles" ] ||
    fail "the stack $ECS_STACK has no output TaskExecutionRoleArn: $(hint deploy-ecs-cluster), or set PASSABLE_ROLE_ARNS for your services"
}

# need_function_outputs: reads the outputs of the stacks of ledger and function. Fills the array `updater` with the parameters of
# API and queue that have these values.
need_function_outputs() {
  local name
  read_stack "$LEDGER_STACK"
  read_stack "$LAMBDA_STACK"
  for name in LedgerTableName LedgerClusterName FunctionRoleArn FunctionClusterName FunctionLogGroupName; do
    [ -n "${output[$name]:-}" ] ||
      fail "the stacks $LEDGER_STACK and $LAMBDA_STACK have no output $name: $(hint "${DEPLOY_FUNCTION[-1]}")"
  done
  updater=("UpdaterRoleArn=${output[FunctionRoleArn]}" "UpdaterLogGroupName=${output[FunctionLogGroupName]}"
    "UpdaterClusterName=${output[FunctionClusterName]}" "LedgerClusterName=${output[LedgerClusterName]}"
    "LedgerTableName=${output[LedgerTableName]}" "TargetsParameterName=${TARGETS_PARAMETER:-}"
    "MetricsByService=${METRICS_BY_SERVICE:-false}")
}

# make_bucket: creates the bucket for bundles if it does not exist, and sets `bucket`. A bucket without tags and objects is from a run
# that was killed just after its creation.
make_bucket() {
  local found
  bucket=$(bucket_name "$ACCOUNT")
  found=$(owners bucket "$bucket")
  case ${found%% *} in
    ours) ;;
    none)
      say "creating bucket $bucket"
      create_bucket
      ;;
    *) fail "bucket $bucket belongs to another deployment: it has no tag $OWNERSHIP_TAG=$STACK_NAME. Use another STACK_NAME" ;;
  esac
  # The tag comes first, because without it `make clean` would keep the bucket.
  ask s3api put-bucket-tagging --bucket "$bucket" --tagging '{"TagSet": [
    {"Key": "'"$OWNERSHIP_TAG"'", "Value": '"$(json "$STACK_NAME")"'},
    {"Key": "environment", "Value": '"$(json "$ENVIRONMENT")"'},
    {"Key": "owner", "Value": '"$(json "$OWNER")"'},
    {"Key": "contact", "Value": '"$(json "$CONTACT")"'}]}' >/dev/null
  ask s3api put-public-access-block --bucket "$bucket" --public-access-block-configuration \
    BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true >/dev/null
}

# create_bucket: retries, because S3 refuses the name of a bucket for a while after its removal.
create_bucket() {
  local answer end=$((SECONDS + 300))
  until capture s3 mb "s3://$bucket"; do
    [[ $answer = *OperationAborted* && $SECONDS -lt $end ]] || fail "aws s3 mb failed: $(error_of "$answer")"
    say "S3 has not yet released the name of the removed bucket: trying again"
    sleep 15
  done
}

# write_template NAME [HASH]: writes a template with this run's path of the bundle, and sets `template`. Paths of included files are
# relative to the copy. The logical id of the API's deployment contains HASH, so that a change creates a new deployment for the
# stage. CloudFormation imports a table only if the template has its name.
write_template() {
  template=$BUILD_DIR/$1.yml
  mkdir -p "$BUILD_DIR"
  PACKAGE=$package AUTHORIZER=$authorizer_package PROJECT=$PROJECT_DIR HASH=${2:-} TABLE=$LAMBDA_FUNCTION_NAME-ledger awk '
    $1 == "TableName:" { $0 = "      TableName: " ENVIRON["TABLE"] }
    $0 == "  Deployment:" { $0 = "  Deployment" ENVIRON["HASH"] ":" }
    $1 == "DeploymentId:" { $0 = $0 ENVIRON["HASH"] }
    $1 == "Code:" { $0 = "      Code: \"" ENVIRON[$2 ~ /authorizer/ ? "AUTHORIZER" : "PACKAGE"] "\"" }
    $1 == "Location:" && (up = index($0, "../")) { $0 = substr($0, 1, up - 1) "\"" ENVIRON["PROJECT"] substr($0, up + 2) "\"" }
    { print }' "$PROJECT_DIR/infraestructure/$1.yml" >"$template"
}

# package_template NAME [HASH]: the same, with the bundle in the bucket. Uploads the bundle if it is missing there.
package_template() {
  local written
  write_template "$@"
  written=$template template=$BUILD_DIR/$1.packaged.yml
  ask cloudformation package --template-file "$written" --s3-bucket "$bucket" --output-template-file "$template" >/dev/null
}

# deploy_ledger: deploys the ledger's stack from the same bundle, and adds its outputs to `output`.
deploy_ledger() {
  local given=("FunctionName=$LAMBDA_FUNCTION_NAME" "Runtime=$LAMBDA_RUNTIME" "Architecture=$LAMBDA_ARCH" "ClusterName=$CLUSTER_NAME"
    "TaskDefinitionFamily=$TASK_DEFINITION_NAME" "PassableRoleArns=$passable_roles" "${tasks[@]}" "${targets[@]}" "${shared[@]}"
    "${notifications[@]}" "PermissionsBoundary=${PERMISSIONS_BOUNDARY:-}" "DeletionProtection=$DELETION_PROTECTION" "EndpointUrl=${AWS_ENDPOINT_URL:-}"
    "MetricsByService=${METRICS_BY_SERVICE:-false}")
  say "uploading the bundle"
  package_template 02-ledger
  adopt_table "${given[@]}"
  deploy_stack "$LEDGER_STACK" "$template" "${given[@]}"
  read_stack "$LEDGER_STACK"
}

# adopt_table NAME=VALUE ...: if an earlier deployment left the ledger's table, creates the stack of the packaged template by importing
# it. A stack cannot create an existing table, and `aws cloudformation deploy` does not import.
adopt_table() {
  local one pairs=() tags change=(--stack-name "$LEDGER_STACK" --change-set-name "adopt-table-$$")
  check_stack "$LEDGER_STACK"
  case $stack_status in '' | REVIEW_IN_PROGRESS | ROLLBACK_COMPLETE) ;; *) return 0 ;; esac
  is_our_table || return 0
  say "importing table $LEDGER_TABLE of an earlier deployment into stack $LEDGER_STACK"
  for one; do pairs+=("{\"ParameterKey\": $(json "${one%%=*}"), \"ParameterValue\": $(json "${one#*=}")}"); done
  stack_tags
  for one in "${!tags[@]}"; do
    tags[one]="{\"Key\": $(json "${tags[one]%%=*}"), \"Value\": $(json "${tags[one]#*=}")}"
  done
  ask cloudformation create-change-set "${change[@]}" --change-set-type CREATE --import-existing-resources \
    --template-body "file://$template" --capabilities CAPABILITY_NAMED_IAM --parameters "${pairs[@]}" --tags "${tags[@]}" >/dev/null
  ask cloudformation wait change-set-create-complete "${change[@]}"
  ask cloudformation execute-change-set "${change[@]}"
  capture cloudformation wait stack-create-complete --stack-name "$LEDGER_STACK" ||
    fail "stack $LEDGER_STACK could not be deployed: $(read_first_failure "$LEDGER_STACK")"
}

# function_parameters: fills the array `parameters` with the template's parameters.
function_parameters() {
  parameters=("FunctionName=$LAMBDA_FUNCTION_NAME" "Runtime=$LAMBDA_RUNTIME" "Architecture=$LAMBDA_ARCH"
    "ClusterName=$CLUSTER_NAME" "TaskDefinitionFamily=$TASK_DEFINITION_NAME" "PassableRoleArns=$passable_roles"
    "PermissionsBoundary=${PERMISSIONS_BOUNDARY:-}" "LedgerTableName=${output[LedgerTableName]}"
    "LedgerClusterName=${output[LedgerClusterName]}"
    "ReservedConcurrency=$RESERVED_CONCURRENCY" "EndpointUrl=${AWS_ENDPOINT_URL:-}" "${allowed[@]}"
    "${tasks[@]}" "ReadScalableTargets=$(allows ecs_desired_count)" "${targets[@]}" "${shared[@]}"
    "${notifications[@]}" "EcrRepositoryNames=${ECR_REPOSITORIES:-*}" "MetricsByService=${METRICS_BY_SERVICE:-false}")
}

# set_concurrency FUNCTION NUMBER: sets a reserved concurrency, which the emulator's CloudFormation ignores.
set_concurrency() {
  [ "$TARGET" = local ] && [ "$2" -ge 0 ] || return 0
  say "setting the reserved concurrency $2 of $1, which the emulator's CloudFormation ignores"
  ask lambda put-function-concurrency --function-name "$1" --reserved-concurrent-executions "$2" >/dev/null
}
