# shellcheck shell=bash
# Shared by the scripts that need the API, deployed by either tool. Source it, do not run it.
source "$(dirname "${BASH_SOURCE[0]}")/stacks.sh"
source "$(dirname "${BASH_SOURCE[0]}")/terraform.sh"

settings LAMBDA_FUNCTION_NAME API_AUTH

# check_api_auth: fails if API_AUTH=jwt has no issuer, audience or scopes.
check_api_auth() {
  [ "$API_AUTH" = jwt ] || return 0
  settings JWT_ISSUER JWT_AUDIENCE
  [ -n "${SCOPES_PARAMETER:-}" ] ||
    fail "API_AUTH=jwt needs SCOPES_PARAMETER: without scopes every token of $JWT_ISSUER could update every service (docs/access.md)"
}

# read_api: adds ApiInvokeUrl, RestApiId and ECSUpdateApiKey (the key's id; empty with API_AUTH=jwt) to `output`. Fails if there is no
# API.
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
  for name in ApiInvokeUrl RestApiId; do
    [ -n "${output[$name]:-}" ] || fail "there is no API of $LAMBDA_FUNCTION_NAME: $(hint "$how")"
  done
}

# print_api: prints the URL of the API, and a command that calls it.
print_api() {
  local settings=${SETTINGS:+$SETTINGS }
  [ "$TARGET" = aws ] || settings+=TARGET=local
  read_api
  say "the API is at ${output[ApiInvokeUrl]}"
  case $API_AUTH in
    key) say "next: curl \"${output[ApiInvokeUrl]}/list?images=1\" -H \"x-api-key: \$(make -s api-key $settings)\"" ;;
    jwt) say "next: curl \"${output[ApiInvokeUrl]}/list?images=1\" -H \"Authorization: Bearer \$TOKEN\" (a token of $JWT_ISSUER)" ;;
    iam) say "next: make run-api-test $settings (a request needs an AWS signature beside the key)" ;;
  esac
}

# need_web_acl: fails without a web ACL to associate.
need_web_acl() { [ -n "${WEB_ACL_ARN:-}" ] || fail "WEB_ACL_ARN is empty: give the ARN of a regional web ACL of AWS WAF"; }
