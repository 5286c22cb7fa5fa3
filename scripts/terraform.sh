# shellcheck shell=bash
# shellcheck disable=SC2034 # Some of the variables are used by the scripts that source this.
# What the scripts share that deploy through Terraform: a copy of the configuration with this run's settings, and the CLI. Source
# it, do not run it.
source "$(dirname "${BASH_SOURCE[0]}")/aws.sh"
source "$(dirname "${BASH_SOURCE[0]}")/terraform-environment.sh"

# A target has a state of its own: what is known of an account may not be lost by a local run.
TERRAFORM_DIR=$BUILD_DIR/terraform-$TARGET
TERRAFORM_TREE=$TERRAFORM_DIR/tree
# Written when Terraform has got as far as a backend: before that there is nothing to destroy.
TERRAFORM_BEGUN=$TERRAFORM_DIR/begun
export TF_DATA_DIR=$TERRAFORM_DIR/data

# terraform_settings: prints the variables of the configuration as JSON.
terraform_settings() {
  local name separator='{'
  declare -A variable=(
    [stack_name]=$STACK_NAME [environment]=$ENVIRONMENT [owner]=$OWNER [contact]=$CONTACT
    [cluster_name]=$CLUSTER_NAME [launch_type]=$LAUNCH_TYPE [task_definition_family]=$TASK_DEFINITION_NAME
    [function_name]=$LAMBDA_FUNCTION_NAME [lambda_package]=${package:-} [runtime]=$LAMBDA_RUNTIME [architecture]=$LAMBDA_ARCH
    [permissions_boundary]=${PERMISSIONS_BOUNDARY:-} [endpoint_url]=${AWS_ENDPOINT_URL:-}
    [schemas_directory]=$PROJECT_DIR/lambda_code/ecs_updater/schemas [api_auth]=$API_AUTH [account_log_role]=${log_role:-}
  )
  for name in "${!variable[@]}"; do
    [ -n "${variable[$name]}" ] || continue # The variable's default.
    printf '%s"%s": %s' "$separator" "$name" "$(json "${variable[$name]}")"
    separator=', '
  done
  printf ', "allowed_images": %s, "allowed_services": %s' "$(json_list "${ALLOWED_IMAGES:-}")" "$(json_list "${ALLOWED_SERVICES:-}")"
  printf ', "deletion_protection": %s, "reserved_concurrency": %s}\n' "$DELETION_PROTECTION" "$RESERVED_CONCURRENCY"
}

# prepare_terraform: checks that there is a Terraform, copies the configuration and initialises the copy.
prepare_terraform() {
  local own_backend=()
  settings ENVIRONMENT OWNER CONTACT CLUSTER_NAME TASK_DEFINITION_NAME LAUNCH_TYPE LAMBDA_FUNCTION_NAME LAMBDA_RUNTIME LAMBDA_ARCH RESERVED_CONCURRENCY API_AUTH \
    DELETION_PROTECTION
  need terraform "install Terraform 1.7 or newer (https://developer.hashicorp.com/terraform/install)"
  # Terraform writes into the folder that it works in. Of an earlier run's copy only its lock of the provider stays.
  mkdir -p "$TERRAFORM_TREE"
  find "$TERRAFORM_TREE" -name '*.tf' -delete
  cp -R "$PROJECT_DIR/infraestructure-terraform/." "$TERRAFORM_TREE"
  rm -rf "$TERRAFORM_TREE/tests"
  # A shared state is of accounts: what is on an emulator has no place in it.
  [ "$TARGET" = aws ] || rm -f "$TERRAFORM_TREE/backend_override.tf"
  # backend_override.tf, which a team makes of its example, says where the state is instead.
  [ -f "$TERRAFORM_TREE/backend_override.tf" ] || own_backend=("-backend-config=path=$TERRAFORM_DIR/terraform.tfstate")
  run_terraform init -reconfigure "${own_backend[@]}"
  touch "$TERRAFORM_BEGUN"
  account_log_role
  terraform_settings >"$TERRAFORM_TREE/settings.auto.tfvars.json"
}

# check_names [KIND NAME ...]: ends the script when a name is taken by somebody else. ECS, SQS, EventBridge and CloudWatch answer a
# request for a cluster, a queue, a rule or an alarm with the existing one of that name, and Terraform would manage it. API Gateway
# creates another API, plan or key; of its one setting for a whole account account_log_role takes care.
check_names() {
  local function=$LAMBDA_FUNCTION_NAME
  refuse_others CLUSTER_NAME cluster "$CLUSTER_NAME"
  refuse_others LAMBDA_FUNCTION_NAME queue "$function-dead-letters" alarm "$function-dead-letters" \
    rule "$function-completer-deployments" rule "$function-completer-poll" "$@"
}

# knows ADDRESS: whether Terraform's state has a resource.
knows() { terraform -chdir="$TERRAFORM_TREE" state list -no-color 2>/dev/null | grep -xF "$1" >/dev/null; }

LOG_ROLE=('module.api.aws_api_gateway_account.this[0]' 'module.api.aws_iam_role_policy.logs[0]' 'module.api.aws_iam_role.logs[0]')

# manages_log_role: whether Terraform made the role with which API Gateway writes logs.
manages_log_role() { knows "${LOG_ROLE[2]}"; }

# forget ADDRESS ...: lets Terraform forget resources, which then stay as they are.
forget() {
  local address
  for address in "$@"; do
    ! knows "$address" || run_terraform state rm "$address"
  done
}

# let_go_of_log_role: Terraform forgets the account's role for logs when somebody else has set another one since: it would take that
# away.
let_go_of_log_role() {
  account_log_role
  [ "$log_role" = keep ] && knows "${LOG_ROLE[0]}" || return 0
  say "the role with which API Gateway writes logs is another one by now, and stays"
  forget "${LOG_ROLE[0]}"
}

# adopt_table: takes the table of the ledger that an earlier deployment left into Terraform's state.
adopt_table() {
  local address=module.ledger.aws_dynamodb_table.this
  ! knows "$address" && is_our_table || return 0
  say "taking the table $LEDGER_TABLE of an earlier deployment into Terraform's state"
  run_terraform import "$address" "$LEDGER_TABLE"
}

# run_terraform COMMAND ...: runs a command of Terraform; ends the script with its first error when it fails. All of what it said
# lies in a log.
run_terraform() {
  local log=$TERRAFORM_DIR/$1.log
  terraform -chdir="$TERRAFORM_TREE" "$@" -no-color >"$log" 2>&1 || fail "terraform $1 failed: $(terraform_error "$log") (all of it: $log)"
}

# terraform_error LOG: prints the first error of a log on one line.
terraform_error() {
  sed -E 's/^[│╷╵] ?//' "$1" | awk '/^Error: / { found = 1 } found && /^(Error: .*)?$/ && seen++ > 3 { exit } found' |
    tr -s '[:space:]' ' ' | cut -c 1-500
}

# is_deployed_by_terraform: whether a Terraform run of this build directory has begun, and was not removed.
is_deployed_by_terraform() { [ -f "$TERRAFORM_BEGUN" ]; }

# read_terraform_outputs: adds the outputs to the associative array `output`, under the names that they have in CloudFormation.
read_terraform_outputs() {
  local name value outputs
  outputs=$(terraform -chdir="$TERRAFORM_TREE" output -json -no-color 2>"$TERRAFORM_DIR/output.log") ||
    fail "Terraform's outputs cannot be read: $(terraform_error "$TERRAFORM_DIR/output.log")"
  while IFS=$'\t' read -r name value; do output["$name"]=$value; done < <(
    "${PYTHON:-python3}" -c '
import json, sys
for name, output in json.load(sys.stdin).items():
    value = output["value"]
    if value is None:  # Of a module that is not there yet.
        continue
    print("".join(map(str.capitalize, name.split("_"))), ",".join(value) if isinstance(value, list) else value, sep="\t")' <<<"$outputs"
  )
}
