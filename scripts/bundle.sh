# shellcheck shell=bash
# Shared by the scripts that deploy functions: their bundles. Source it, do not run it.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

settings TARGET LAMBDA_PACKAGE LAMBDA_RUNTIME

# check_bundle FILE [SETTING]: prints the absolute path of a bundle, which `make build-lambda-package SETTING` builds. Fails without one
# for the function's runtime.
check_bundle() {
  local made_for build
  build="make build-lambda-package${2:+ $2}$([ "$TARGET" != local ] || echo ' TARGET=local')"
  [ -f "$1" ] || fail "there is no bundle $1: $build"
  # The zip's comment begins with the runtime that it was made for.
  made_for=$("${PYTHON:-python3}" -c 'import sys, zipfile; print(zipfile.ZipFile(sys.argv[1]).comment.decode().split(" ")[0])' \
    "$1" 2>/dev/null) || fail "$1 is not a bundle: $build"
  [ "$made_for" = "$LAMBDA_RUNTIME" ] ||
    fail "the bundle was built for $made_for, but the function's runtime is $LAMBDA_RUNTIME: $build"
  printf '%s\n' "$(cd "$(dirname "$1")" && pwd)/$(basename "$1")"
}

# need_bundle: sets `package`, the path of the function's bundle, and `authorizer_package`, that of the API's authoriser. Without
# API_AUTH=jwt there is no authoriser, and it is the function's bundle.
# shellcheck disable=SC2034 # Used by the scripts that source this.
need_bundle() {
  package=$(check_bundle "$LAMBDA_PACKAGE")
  authorizer_package=$package
  [ "${API_AUTH:-key}" != jwt ] || authorizer_package=$(check_bundle "${AUTHORIZER_PACKAGE:-}" API_AUTH=jwt)
}
