# shellcheck shell=bash
# What the scripts share that call Terraform: no variable of the shell may change what it does, but for those that say where it
# finds its providers. Source it, do not run it.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

for name in "${!TF_@}"; do
  case $name in TF_CLI_CONFIG_FILE | TF_PLUGIN_CACHE_DIR | TF_REGISTRY_* | TF_TOKEN_*) ;; *) unset "$name" ;; esac
done
# A file that is not there would be a warning in the place of every answer.
[ -f "${TF_CLI_CONFIG_FILE:-}" ] || unset TF_CLI_CONFIG_FILE
unset name
# Go's collector is rarely needed in a process that reads the provider's schema and ends: it took a quarter of Terraform's time.
export GOGC=${GOGC:-400}
export TF_IN_AUTOMATION=1 TF_INPUT=0 CHECKPOINT_DISABLE=1
