# shellcheck shell=bash
# What the scripts share that deploy the function: its bundle. Source it, do not run it.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

settings TARGET LAMBDA_PACKAGE LAMBDA_RUNTIME

# need_bundle: ends the script when there is no bundle for the function's runtime; sets `package`, its absolute path.
need_bundle() {
  local made_for build
  build="make build-lambda-package$([ "$TARGET" != local ] || echo ' TARGET=local')"
  [ -f "$LAMBDA_PACKAGE" ] || fail "there is no bundle $LAMBDA_PACKAGE: $build"
  # The zip's comment begins with the runtime that it was made for.
  made_for=$("${PYTHON:-python3}" -c 'import sys, zipfile; print(zipfile.ZipFile(sys.argv[1]).comment.decode().split(" ")[0])' \
    "$LAMBDA_PACKAGE" 2>/dev/null) || fail "$LAMBDA_PACKAGE is no bundle: $build"
  [ "$made_for" = "$LAMBDA_RUNTIME" ] ||
    fail "the bundle was made for $made_for, and here the function runs on $LAMBDA_RUNTIME: $build"
  # shellcheck disable=SC2034 # Used by the scripts that source this.
  package=$(cd "$(dirname "$LAMBDA_PACKAGE")" && pwd)/$(basename "$LAMBDA_PACKAGE")
}
