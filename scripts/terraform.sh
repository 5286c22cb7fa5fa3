# shellcheck shell=bash
# shellcheck disable=SC2034 # Some of the variables are used by the scripts that source this.
# Shared by the scripts that deploy with Terraform: a copy of the configuration with this run's settings, and the CLI. Source it, do
# not run it.
source "$(dirname "${BASH_SOURCE[0]}")/aws.sh"
source "$(dirname "${BASH_SOURCE[0]}")/terraform-environment.sh"

# Each target has its own state, so that a local run cannot overwrite an account's.
TERRAFORM_DIR=$BUILD_DIR/terraform-$TARGET
TERRAFORM_TREE=$TERRAFORM_DIR/tree
# Written once Terraform has a backend. Before that there is nothing to destroy.
TERRAFORM_BEGUN=$TERRAFORM_DIR/begun
TERRAFORM_STATE=$TERRAFORM_DIR/terraform.tfstate
# Exists while the copy of the configuration is made. After a kill the copy is incomplete.
TERRAFORM_INCOMPLETE=$TERRAFORM_DIR/incomplete
export TF_DATA_DIR=$TERRAFORM_DIR/data

# terraform_settings: prints the variables of the configuration as JSON.
terraform_settings() {
  local name separator='{'
  declare -A variable=(
    [stack_name]=$STACK_NAME [environment]=$ENVIRONMENT [owner]=$OWNER [contact]=$CONTACT
    [cluster_name]=$CLUSTER_NAME [launch_type]=$LAUNCH_TYPE [task_definition_family]=$TASK_DEFINITION_NAME
    [function_name]=$LAMBDA_FUNCTION_NAME [lambda_package]=${package:-} [runtime]=$LAMBDA_RUNTIME [architecture]=$LAMBDA_ARCH
    [permissions_boundary]=${PERMISSIONS_BOUNDARY:-} [endpoint_url]=${AWS_ENDPOINT_URL:-}
    [schemas_directory]=$PROJECT_DIR/lambda_code/ecs_updater/schemas [api_auth]=$API_AUTH [jwt_issuer]=${JWT_ISSUER:-} [jwt_audience]=${JWT_AUDIENCE:-}
    [jwks_url]=${JWKS_URL:-} [authorizer_package]=${authorizer_package:-} [account_log_role]=${log_role:-}
    [task_log_group_name]=${TASK_LOG_GROUP:-} [targets_parameter_name]=${TARGETS_PARAMETER:-} [scopes_parameter_name]=${SCOPES_PARAMETER:-}
    [express_services]=${EXPRESS_SERVICES:-} [web_acl_arn]=${WEB_ACL_ARN:-} [sender_dry_runs]=${SENDER_DRY_RUNS:-} [tracing]=${TRACING:-} [kms_key_arn]=${KMS_KEY_ARN:-}
    [notify_topic_arn]=${NOTIFY_TOPIC_ARN:-} [alarm_topic_arn]=${ALARM_TOPIC_ARN:-}
  )
  for name in "${!variable[@]}"; do
    [ -n "${variable[$name]}" ] || continue # The variable's default.
    printf '%s"%s": %s' "$separator" "$name" "$(json "${variable[$name]}")"
    separator=', '
  done
  printf ', "allowed_images": %s, "allowed_services": %s' "$(json_list "${ALLOWED_IMAGES:-}")" "$(json_list "${ALLOWED_SERVICES:-}")"
  printf ', "allowed_fields": %s, "allowed_secrets": %s' "$(json_list "${ALLOWED_FIELDS:-}")" "$(json_list "${ALLOWED_SECRETS:-}")"
  printf ', "target_role_arns": %s, "target_read_role_arns": %s' "$(json_list "${TARGET_ROLE_ARNS:-}")" "$(json_list "${TARGET_READ_ROLE_ARNS:-}")"
  printf ', "ecr_repository_names": %s' "$(json_list "${ECR_REPOSITORIES:-*}")"
  printf ', "api_source_cidrs": %s, "api_principal_arns": %s' "$(json_list "${API_SOURCE_CIDRS:-}")" "$(json_list "${API_PRINCIPAL_ARNS:-}")"
  printf ', "api_update_concurrency": %s, "api_status_concurrency": %s' "${API_UPDATE_CONCURRENCY:--1}" "${API_STATUS_CONCURRENCY:--1}"
  printf ', "load_balancer": %s' "$(if shifts_traffic; then echo true; else has_part load_balancer; fi)"
  [ -z "${WEBHOOK_SECRET_ARN:-}" ] || printf ', "notify": %s' "$(notify_settings)"
  printf ', "event_bus_name": %s' "$(json "${EVENT_BUS:-}")" # Empty sends no events.
  printf ', "push": %s, "codepipeline": %s' "$(has_part push)" "$(has_part codepipeline)"
  printf ', "operations": %s, "metrics_by_service": %s' "$(has_part operations)" "${METRICS_BY_SERVICE:-false}"
  [ "$(has_part target)" = false ] || printf ', "target": %s' "$(target_settings)"
  printf ', "deletion_protection": %s, "reserved_concurrency": %s}\n' "$DELETION_PROTECTION" "$RESERVED_CONCURRENCY"
}

# target_settings: prints the variable `target` as JSON.
target_settings() {
  printf '{'
  printf '"%s": %s, ' home_account "$(json "${HOME_ACCOUNT:-}")" home_region "$(json "${HOME_REGION:-}")" \
    external_id "$(json "${EXTERNAL_ID:-}")" update_principal_arns "$(json_list "${UPDATE_PRINCIPAL_ARNS:-}")" \
    read_principal_arns "$(json_list "${READ_PRINCIPAL_ARNS:-}")"
  printf '"%s": %s}' passable_role_arns "$(json_list "${PASSABLE_ROLE_ARNS:-}")"
}

# notify_settings: prints the variable `notify` as JSON.
notify_settings() {
  printf '{"webhook_secret_arn": %s, "notify_verdicts": %s, "notify_cluster_name": %s, "slack_webhook": %s, "teams_webhook": %s}' \
    "$(json "$WEBHOOK_SECRET_ARN")" "$(json_list "$NOTIFY_VERDICTS")" "$(json "$NOTIFY_CLUSTER")" "$SLACK_WEBHOOK" "$TEAMS_WEBHOOK"
}

# has_part NAME: prints true if this run deploys an optional part or Terraform's state has it, else false.
has_part() {
  local state
  if [ "${part:-}" = "$1" ] || { state=$(terraform -chdir="$TERRAFORM_TREE" state list -no-color 2>/dev/null) &&
    [[ $state = *"module.$1[0]."* ]]; }; then echo true; else echo false; fi
}

# prepare_terraform: copies the configuration and initialises the copy. Fails if Terraform is not installed.
prepare_terraform() {
  local own_backend=()
  settings ENVIRONMENT OWNER CONTACT CLUSTER_NAME TASK_DEFINITION_NAME LAUNCH_TYPE LAMBDA_FUNCTION_NAME LAMBDA_RUNTIME LAMBDA_ARCH RESERVED_CONCURRENCY API_AUTH \
    DELETION_PROTECTION
  ! is_state_incomplete || fail "Terraform was killed while it wrote its state, and $TERRAFORM_STATE is incomplete: run $(hint clean), which removes the resources by name and tag"
  need terraform "install Terraform 1.7 or newer (https://developer.hashicorp.com/terraform/install)"
  # Terraform writes into its folder. Of an earlier copy only the provider's lock is kept.
  mkdir -p "$TERRAFORM_TREE"
  touch "$TERRAFORM_INCOMPLETE"
  find "$TERRAFORM_TREE" -name '*.tf' -delete
  cp -R "$PROJECT_DIR/infraestructure-terraform/." "$TERRAFORM_TREE"
  rm -rf "$TERRAFORM_TREE/tests"
  # A shared state is for accounts, not for the emulator.
  [ "$TARGET" = aws ] || rm -f "$TERRAFORM_TREE/backend_override.tf"
  # backend_override.tf, created from its example, sets the backend of a team's state.
  [ -f "$TERRAFORM_TREE/backend_override.tf" ] || own_backend=("-backend-config=path=$TERRAFORM_STATE")
  run_terraform init -reconfigure "${own_backend[@]}"
  touch "$TERRAFORM_BEGUN"
  move_old_addresses
  [ "${part:-}" = target ] || account_log_role
  terraform_settings >"$TERRAFORM_TREE/settings.auto.tfvars.json"
  rm "$TERRAFORM_INCOMPLETE"
}

# move_old_addresses: moves the resources of a state from before the module ecs-updater. With -target Terraform refuses pending moves.
move_old_addresses() {
  local state part index
  state=$(terraform -chdir="$TERRAFORM_TREE" state list -no-color 2>/dev/null) || return 0
  # In 1.2.0 the key was there with every API_AUTH.
  for part in usage_plan api_key usage_plan_key; do
    for index in module.api 'module.ecs_updater.module.api[0]'; do
      index+=.aws_api_gateway_$part.this
      [[ $'\n'$state$'\n' != *$'\n'"$index"$'\n'* ]] || run_terraform state mv "$index" "${index}[0]"
    done
  done
  for part in ledger lambda api fleet; do
    [[ $'\n'$state = *$'\n'"module.$part."* ]] || continue
    case $part in api | fleet) index='[0]' ;; *) index='' ;; esac
    run_terraform state mv "module.$part" "module.ecs_updater.module.$part$index"
  done
}

# check_names [KIND NAME ...]: fails if a name belongs to another deployment. ECS, SQS, EventBridge and CloudWatch answer a creation
# with the existing resource of that name, and Terraform would manage it. API Gateway creates a second API, plan or key.
# account_log_role handles its setting for the account.
check_names() {
  local function=$LAMBDA_FUNCTION_NAME
  refuse_others CLUSTER_NAME cluster "$CLUSTER_NAME"
  refuse_others LAMBDA_FUNCTION_NAME queue "$function-dead-letters" alarm "$function-dead-letters" \
    rule "$function-completer-deployments" rule "$function-completer-poll" "$@"
}

# is_in_state ADDRESS: succeeds if Terraform's state has the resource.
is_in_state() { terraform -chdir="$TERRAFORM_TREE" state list -no-color 2>/dev/null | grep -xF "$1" >/dev/null; }

# The second three are the addresses before the module ecs-updater.
LOG_ROLE=({module.ecs_updater.module.api'[0]',module.api}.aws_{api_gateway_account.this,iam_role_policy.logs,iam_role.logs}'[0]')

# manages_log_role: succeeds if Terraform created the role with which API Gateway writes logs.
manages_log_role() { is_in_state "${LOG_ROLE[2]}"; }

# forget ADDRESS ...: removes resources from Terraform's state without changing them.
forget() {
  local address
  for address in "$@"; do
    ! is_in_state "$address" || run_terraform state rm "$address"
  done
}

# release_log_role: removes the account's setting of API Gateway from the state if it names another role. Terraform would reset it.
release_log_role() {
  account_log_role
  [ "$log_role" = keep ] && is_in_state "${LOG_ROLE[0]}" || return 0
  say "keeping the account's role for logs of API Gateway, which is not from this deployment"
  forget "${LOG_ROLE[0]}"
}

# adopt_table: imports the ledger's table of an earlier deployment into Terraform's state.
adopt_table() {
  local address=module.ecs_updater.module.ledger.aws_dynamodb_table.this
  ! is_in_state "$address" && is_our_table || return 0
  say "importing the table $LEDGER_TABLE of an earlier deployment into Terraform's state"
  run_terraform import "$address" "$LEDGER_TABLE"
}

# run_terraform COMMAND ...: runs a command of Terraform and fails with its first error. The log has the whole output.
run_terraform() {
  local log=$TERRAFORM_DIR/$1.log
  ! terraform -chdir="$TERRAFORM_TREE" "$@" -no-color >"$log" 2>&1 || return 0
  if [ "$TARGET $1" = "local apply" ] && grep -q 'StatusCode: 409' "$log"; then
    # The emulator can lose an answer. The provider sends the request again, which then conflicts with the resource it has made.
    say "the emulator reports a conflict, applying again: $(terraform_error "$log")"
    ! terraform -chdir="$TERRAFORM_TREE" "$@" -no-color >"$log" 2>&1 || return 0
  fi
  fail "terraform $1 failed: $(terraform_error "$log") (all of it: $log)"
}

# terraform_error LOG: prints the first error of a log on one line.
terraform_error() {
  sed -E 's/^[│╷╵] ?//' "$1" | awk '/^Error: / { found = 1 } found && /^(Error: .*)?$/ && seen++ > 3 { exit } found' |
    tr -s '[:space:]' ' ' | cut -c 1-500
}

# is_state_incomplete: succeeds if Terraform was killed while it wrote the state's file. Terraform then refuses to read it.
is_state_incomplete() { [ -s "$TERRAFORM_STATE" ] && ! "${PYTHON:-python3}" -m json.tool "$TERRAFORM_STATE" >/dev/null 2>&1; }

# is_deployed_by_terraform: succeeds if a Terraform run of this build directory has begun and was not removed.
is_deployed_by_terraform() { [ -f "$TERRAFORM_BEGUN" ]; }

# read_terraform_outputs: adds the outputs to the associative array `output` by their names in CloudFormation.
read_terraform_outputs() {
  local name value outputs
  outputs=$(terraform -chdir="$TERRAFORM_TREE" output -json -no-color 2>"$TERRAFORM_DIR/output.log") ||
    fail "Terraform's outputs cannot be read: $(terraform_error "$TERRAFORM_DIR/output.log")"
  while IFS=$'\t' read -r name value; do output["$name"]=$value; done < <(
    "${PYTHON:-python3}" -c '
import json, sys
for name, output in json.load(sys.stdin).items():
    value = output["value"]
    if value is None:  # Of a module that is not applied yet.
        continue
    print("".join(map(str.capitalize, name.split("_"))), ",".join(value) if isinstance(value, list) else value, sep="\t")' <<<"$outputs"
  )
}
