# shellcheck shell=bash
# Shared by the scripts that deploy the roles of a target. Source it, do not run it.

# need_home: fails without the settings that the roles trust.
need_home() {
  [ -n "${HOME_ACCOUNT:-}" ] || fail "HOME_ACCOUNT is empty: give the id of the function's account"
  [ -n "${EXTERNAL_ID:-}" ] || fail "EXTERNAL_ID is empty: give the external id that the function sends to this target"
  settings HOME_REGION
}

# print_target: prints the entry of the target for the function's SSM parameter. The external id is left out.
print_target() {
  say "add a name and external_id to this entry, and add it to the function's SSM parameter with the targets"
  # shellcheck disable=SC2154 # The script that sources this fills it.
  printf '{"account": %s, "region": %s, "update_role": %s, "read_role": %s}\n' "$(json "$ACCOUNT")" "$(json "$AWS_DEFAULT_REGION")" \
    "$(json "${output[TargetUpdateRoleArn]}")" "$(json "${output[TargetReadRoleArn]}")"
}
