# shellcheck shell=bash
# shellcheck disable=SC2034 # Some of the variables are used by the scripts that source this.
# What the scripts share that deploy through Terraform: a copy of the configuration with this run's settings, and the CLI. Source
# it, do not run it.
source "$(dirname "${BASH_SOURCE[0]}")/aws.sh"
source "$(dirname "${BASH_SOURCE[0]}")/terraform-environment.sh"

# A target has a state of its own: what is known of an account may not be lost by a local run.
TERRAFORM_DIR=$BUILD_DIR/terraform-$TARGET
TERRAFORM_TREE=$TERRAFORM_DIR/tree
export TF_DATA_DIR=$TERRAFORM_DIR/data

# terraform_settings: prints the variables of the configuration as JSON.
terraform_settings() {
  local name separator='{'
  declare -A variable=(
    [stack_name]=$STACK_NAME [environment]=$ENVIRONMENT [owner]=$OWNER [contact]=$CONTACT
    [cluster_name]=$CLUSTER_NAME [launch_type]=$LAUNCH_TYPE
    [function_name]=$LAMBDA_FUNCTION_NAME [lambda_package]=${package:-} [runtime]=$LAMBDA_RUNTIME [architecture]=$LAMBDA_ARCH
    [permissions_boundary]=${PERMISSIONS_BOUNDARY:-} [endpoint_url]=${AWS_ENDPOINT_URL:-}
  )
  for name in "${!variable[@]}"; do
    [ -n "${variable[$name]}" ] || continue # The variable's default.
    printf '%s"%s": %s' "$separator" "$name" "$(json "${variable[$name]}")"
    separator=', '
  done
  printf ', "reserved_concurrency": %s}\n' "$RESERVED_CONCURRENCY"
}

# prepare_terraform: checks that there is a Terraform, copies the configuration and initialises the copy.
prepare_terraform() {
  local own_backend=()
  settings ENVIRONMENT OWNER CONTACT CLUSTER_NAME LAUNCH_TYPE LAMBDA_FUNCTION_NAME LAMBDA_RUNTIME LAMBDA_ARCH RESERVED_CONCURRENCY
  need terraform "install Terraform 1.7 or newer (https://developer.hashicorp.com/terraform/install)"
  # Terraform writes into the folder that it works in. Of an earlier run's copy only its lock of the provider stays.
  mkdir -p "$TERRAFORM_TREE"
  find "$TERRAFORM_TREE" -name '*.tf' -delete
  cp -R "$PROJECT_DIR/infraestructure-terraform/." "$TERRAFORM_TREE"
  rm -rf "$TERRAFORM_TREE/tests"
  terraform_settings >"$TERRAFORM_TREE/settings.auto.tfvars.json"
  # backend_override.tf, which a team makes of its example, says where the state is instead.
  [ -f "$TERRAFORM_TREE/backend_override.tf" ] || own_backend=("-backend-config=path=$TERRAFORM_DIR/terraform.tfstate")
  run_terraform init -reconfigure "${own_backend[@]}"
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
is_deployed_by_terraform() { [ -d "$TERRAFORM_TREE" ]; }

# read_terraform_outputs: adds the outputs to the associative array `output`, under the names that they have in CloudFormation.
read_terraform_outputs() {
  local name value
  while IFS=$'\t' read -r name value; do output["$name"]=$value; done < <(
    terraform -chdir="$TERRAFORM_TREE" output -json 2>/dev/null | "${PYTHON:-python3}" -c '
import json, sys
for name, output in json.load(sys.stdin).items():
    value = output["value"]
    print("".join(map(str.capitalize, name.split("_"))), ",".join(value) if isinstance(value, list) else value, sep="\t")'
  )
}
