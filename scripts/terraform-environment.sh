# shellcheck shell=bash
# Shared by the scripts that call Terraform: unsets the shell's variables for Terraform, except those that locate providers. Source
# it, do not run it.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

for name in "${!TF_@}"; do
  case $name in TF_CLI_CONFIG_FILE | TF_PLUGIN_CACHE_DIR | TF_REGISTRY_* | TF_TOKEN_*) ;; *) unset "$name" ;; esac
done
# A missing file would cause a warning in every output.
[ -f "${TF_CLI_CONFIG_FILE:-}" ] || unset TF_CLI_CONFIG_FILE
unset name
# Go's garbage collector took a quarter of Terraform's time, and short processes rarely need it.
export GOGC=${GOGC:-400}
export TF_IN_AUTOMATION=1 TF_INPUT=0 CHECKPOINT_DISABLE=1
