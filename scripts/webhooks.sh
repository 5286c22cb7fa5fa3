# shellcheck shell=bash
# Shared by the scripts that deploy the posts of verdicts. Source it, do not run it.

# need_webhooks: fails without a bus, a secret or a webhook.
need_webhooks() {
  settings LAMBDA_FUNCTION_NAME NOTIFY_VERDICTS NOTIFY_CLUSTER SLACK_WEBHOOK TEAMS_WEBHOOK
  [ -n "${EVENT_BUS:-}" ] || fail "EVENT_BUS is empty, so no verdict is sent: give the name of an event bus"
  [ -n "${WEBHOOK_SECRET_ARN:-}" ] ||
    fail "WEBHOOK_SECRET_ARN is empty: give the ARN of a secret of AWS Secrets Manager with the addresses of the webhooks"
  [ "$SLACK_WEBHOOK $TEAMS_WEBHOOK" != "false false" ] || fail "nothing is to be posted: set SLACK_WEBHOOK or TEAMS_WEBHOOK to true"
}
