# shellcheck shell=bash
# Shared by the scripts that deploy the function: its bundle. Source it, do not run it.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

settings TARGET LAMBDA_PACKAGE LAMBDA_RUNTIME

# need_bundle: sets `package`, the absolute path of the bundle. Fails without a bundle for the function's runtime.
need_bundle() {
  local made_for build
  build="make build-lambda-package$([ "$TARGET" != local ] || echo ' TARGET=local')"
  [ -f "$LAMBDA_PACKAGE" ] || fail "there is no bundle $LAMBDA_PACKAGE: $build"
  # The zip's comment begins with the runtime that it was made for.
  made_for=$("${PYTHON:-python3}" -c 'import sys, zipfile; print(zipfile.ZipFile(sys.argv[1]).comment.decode().split(" ")[0])' \
    "$LAMBDA_PACKAGE" 2>/dev/null) || fail "$LAMBDA_PACKAGE is not a bundle: $build"
  [ "$made_for" = "$LAMBDA_RUNTIME" ] ||
    fail "the bundle was built for $made_for, but the function's runtime is $LAMBDA_RUNTIME: $build"
  # shellcheck disable=SC2034 # Used by the scripts that source this.
  package=$(cd "$(dirname "$LAMBDA_PACKAGE")" && pwd)/$(basename "$LAMBDA_PACKAGE")
}
