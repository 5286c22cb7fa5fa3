# shellcheck shell=bash
# What the scripts share that need the API, whichever way it was deployed. Source it, do not run it.
source "$(dirname "${BASH_SOURCE[0]}")/stacks.sh"
source "$(dirname "${BASH_SOURCE[0]}")/terraform.sh"

settings LAMBDA_FUNCTION_NAME API_AUTH

# read_api: reads where the API is, and the number of its key, into `output`: ApiInvokeUrl, RestApiId, ECSUpdateApiKey. Ends the
# script when there is none.
read_api() {
  local how name
  if is_deployed_by_terraform; then
    how=deploy-api-aws-tf
    read_terraform_outputs
    output[ECSUpdateApiKey]=${output[EcsUpdateApiKey]:-}
  else
    how=deploy-api-aws
    read_stack "$API_STACK"
  fi
  for name in ApiInvokeUrl RestApiId ECSUpdateApiKey; do
    [ -n "${output[$name]:-}" ] || fail "there is no API of $LAMBDA_FUNCTION_NAME: $(hint "$how")"
  done
}
