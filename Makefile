# `make` lists the targets. Each can run on its own and repeatedly.
#
# Override the settings below on the command line: make all-local EMULATOR_PORT=4567
# Environment variables do not override them, so a run does not depend on the shell.

# Targets that run only on this machine
LOCAL_GOALS := all-local emulator-up emulator-env deploy-lambda-sam run-lambda-test-sam run-lambda-test-unittest-sam invoke-sam \
  lambda-base-image test test-all test-e2e test-faults test-page fuzz bench-fleet dist image

# The dummy service of the pipelines, before the first update
CLUSTER_NAME         := ECSCluster
SERVICE_NAME         := ecs-dummy-service
TASK_DEFINITION_NAME := ecs-dummy-task
CONTAINER_IMAGE      := busybox
# FARGATE, or EC2 for an Auto Scaling group of instances
LAUNCH_TYPE          := FARGATE
# ROLLING, or BLUE_GREEN, LINEAR or CANARY, which make a load balancer
STRATEGY             := ROLLING
TAG_NAME             := old-custom-tag-name
TAG_VALUE            := old-custom-tag-value

# The function
LAMBDA_FUNCTION_NAME := ecs-updater
LAMBDA_ARCH           = $(if $(filter local,$(TARGET)),$(LOCAL_ARCH),x86_64)
LAMBDA_RUNTIME        = $(if $(filter local,$(TARGET)),$(LOCAL_RUNTIME),python3.13)
# ARN of the permissions boundary for every role
PERMISSIONS_BOUNDARY :=
# Allowed images and services (as cluster/service): shell patterns separated by commas. Empty allows everything
ALLOWED_IMAGES       :=
ALLOWED_SERVICES     :=
# Allowed fields beside image and tags, or *, and allowed ARNs in ecs_secrets, separated by commas. Empty allows none
ALLOWED_FIELDS       :=
ALLOWED_SECRETS      :=
# Log group of the tasks, or a pattern such as /ecs/*: the result of a failed run_before has its last lines
TASK_LOG_GROUP       :=
# true: permissions for Express services
EXPRESS_SERVICES     := false
# Your services: ARNs or patterns of their task and execution roles, separated by commas. Empty: the role of the demo's cluster
PASSABLE_ROLE_ARNS   :=
# Amazon ECR repositories that the function may read: names or patterns separated by commas
ECR_REPOSITORIES     := *
# Other accounts and regions: name of the SSM parameter with the targets, and ARNs or patterns of their roles, separated by commas
TARGETS_PARAMETER    :=
TARGET_ROLE_ARNS     :=
TARGET_READ_ROLE_ARNS :=
# Event bus that gets an event for each verdict, and ARN of an SNS topic that gets a message for each. Empty: none
EVENT_BUS            := default
NOTIFY_TOPIC_ARN     :=
# For deploy-notify-aws: what is posted to Slack and Microsoft Teams, and ARN of the secret with the addresses of the webhooks
NOTIFY_VERDICTS      := FAILED,ROLLED_BACK,ROLLBACK_FAILED,STOPPED,TIMED_OUT,NOT_DEPLOYED,INTERRUPTED
NOTIFY_CLUSTER       := *
SLACK_WEBHOOK        := false
TEAMS_WEBHOOK        := false
WEBHOOK_SECRET_ARN   :=
# ARN of a KMS key for log groups, table, queues and variables of the functions. Empty: AWS encrypts them with keys of its own
KMS_KEY_ARN          :=
# ARN of an SNS topic that every alarm notifies
ALARM_TOPIC_ARN      :=
# true: verdicts are counted by service as well, which makes metrics for each service
METRICS_BY_SERVICE   := false
# X-Ray: Active traces calls of the functions and the API. PassThrough only passes the trace of a caller on
TRACING              := PassThrough
# Deletion protection of the ledger's table: off for pipelines, which remove it, and on the emulator
DELETION_PROTECTION   = $(if $(filter all-%,$(MAKECMDGOALS))$(filter local,$(TARGET)),false,true)
# true: the policy for senders of the queue permits dry runs, which read task definitions
SENDER_DRY_RUNS      := false
# Reserved concurrency of the function. -1 reserves none, for accounts with a low limit
RESERVED_CONCURRENCY := 1

# For deploy-target-aws, in the account and region of a target: account and region of the function, the external id that it sends, and
# further users and roles of its account that may assume the roles, as ARNs or patterns separated by commas
HOME_ACCOUNT         :=
HOME_REGION           = $(AWS_DEFAULT_REGION)
EXTERNAL_ID          :=
UPDATE_PRINCIPAL_ARNS :=
READ_PRINCIPAL_ARNS  :=

# Authentication of the API: key (API key), iam (API key and IAM signature) or jwt (bearer token of JWT_ISSUER for JWT_AUDIENCE)
API_AUTH             := key
# Networks in CIDR notation that may call the API, and with API_AUTH=iam users, roles and accounts that may, as ARNs; separated by commas
API_SOURCE_CIDRS     :=
API_PRINCIPAL_ARNS   :=
# Reserved concurrency of the API's two functions. -1 reserves none
API_UPDATE_CONCURRENCY := -1
API_STATUS_CONCURRENCY := -1
# Name of the SSM parameter with the scopes: what each caller of the API may do. Empty: every caller may do everything
SCOPES_PARAMETER     :=
# For deploy-waf-aws: ARN of a regional web ACL of AWS WAF
WEB_ACL_ARN          :=
JWT_ISSUER           :=
JWT_AUDIENCE         :=
# Address of the issuer's keys. Empty: OpenID Connect discovery finds it
JWKS_URL             :=

# Stacks $(STACK_NAME)-vpc, -ecs, -alb, -ledger, -lambda, -api, -fleet, -push, -codepipeline, -operations, -waf, -notify and -target, and the tags of their resources
STACK_NAME           := ecs-updater
AWS_DEFAULT_REGION   := eu-west-1
ENVIRONMENT          := development
OWNER                := platform
# Value of the tag contact: an address or a name
CONTACT              := not-set

# local: the emulator on this machine. aws: the account of the aws cli, confirmed once unless YES=1
TARGET               := $(if $(filter $(LOCAL_GOALS),$(MAKECMDGOALS)),local,aws)
YES                  :=
# Account in the policies that deployer-policy prints. Default: the account of the aws cli
ACCOUNT              :=

# File for deploy-fleet, and options of `ecs-updater deploy`, such as OPTIONS='-i --waves'. Default: deployments.yaml, .yml or .json
FILE                 :=
OPTIONS              :=
# 1: the pipelines print all output of their steps
VERBOSE              :=
# Number of services that bench-fleet measures
SERVICES             := 100

# Events of `make fuzz`, their seed, and one case to run again, as a failure prints it: 7/queue/12
EVENTS               := 10000
SEED                 := 1
CASE                 :=

# Image of `make image`, and the image that it is based on: one with Python 3.11 or newer and pip
IMAGE_NAME           := ecs-updater
BASE_IMAGE           := python:3.13-slim

# docker: `sam local invoke`. emulator: `sam remote invoke` on the emulator. auto: docker if Docker is available
SAM_MODE             := $(if $(filter all-aws all-aws-tf,$(MAKECMDGOALS)),emulator,auto)
# true: the emulator enforces IAM policies
EMULATOR_AUTH        :=
# Seconds between two runs of the reconciler on the emulator. 0: only its schedule, as on AWS
RECONCILE_SECONDS    := $(if $(filter all-local,$(MAKECMDGOALS)),0,3)
# 127.0.0.1 or, if the function runs in a container, this machine's address in Docker's network
EMULATOR_HOST        :=
EMULATOR_PORT        := 4566
# Separate endpoint of the Lambda API, set by scripts/sam-start-lambda
LAMBDA_ENDPOINT_URL  :=

# This machine
PYTHON               := python3
BUILD_DIR            := $(CURDIR)/build
TOOLS_DIR            := $(CURDIR)/.tools
AWS_CLI              := $(TOOLS_DIR)/aws/bin/aws
LAMBDA_PACKAGE       := $(BUILD_DIR)/ecs-updater-package.zip
AUTHORIZER_PACKAGE   := $(BUILD_DIR)/ecs-updater-authorizer-package.zip

LOCAL_ARCH            = $(subst aarch64,arm64,$(shell uname -m))
LOCAL_RUNTIME         = $(shell $(PYTHON) -c 'import sys; print("python%d.%d" % sys.version_info[:2])' 2>/dev/null)

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
# Several targets run one after the other, also with -j.
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

export CLUSTER_NAME SERVICE_NAME TASK_DEFINITION_NAME CONTAINER_IMAGE TAG_NAME TAG_VALUE LAUNCH_TYPE STRATEGY
export LAMBDA_FUNCTION_NAME LAMBDA_ARCH LAMBDA_RUNTIME LAMBDA_PACKAGE RESERVED_CONCURRENCY PERMISSIONS_BOUNDARY
export API_AUTH JWT_ISSUER JWT_AUDIENCE JWKS_URL AUTHORIZER_PACKAGE
export ALLOWED_IMAGES ALLOWED_SERVICES ALLOWED_FIELDS ALLOWED_SECRETS TASK_LOG_GROUP EXPRESS_SERVICES PASSABLE_ROLE_ARNS DELETION_PROTECTION
export API_SOURCE_CIDRS API_PRINCIPAL_ARNS API_UPDATE_CONCURRENCY API_STATUS_CONCURRENCY SCOPES_PARAMETER WEB_ACL_ARN ECR_REPOSITORIES SENDER_DRY_RUNS TRACING KMS_KEY_ARN
export EVENT_BUS NOTIFY_TOPIC_ARN ALARM_TOPIC_ARN METRICS_BY_SERVICE
export NOTIFY_VERDICTS NOTIFY_CLUSTER SLACK_WEBHOOK TEAMS_WEBHOOK WEBHOOK_SECRET_ARN
export TARGETS_PARAMETER TARGET_ROLE_ARNS TARGET_READ_ROLE_ARNS HOME_ACCOUNT HOME_REGION EXTERNAL_ID
export UPDATE_PRINCIPAL_ARNS READ_PRINCIPAL_ARNS
export STACK_NAME AWS_DEFAULT_REGION ENVIRONMENT OWNER CONTACT
export TARGET YES VERBOSE ACCOUNT SAM_MODE EMULATOR_AUTH EMULATOR_HOST EMULATOR_PORT RECONCILE_SECONDS LAMBDA_ENDPOINT_URL
export PYTHON BUILD_DIR TOOLS_DIR AWS_CLI EVENT FILE SERVICES IMAGE_NAME BASE_IMAGE
# Where TARGET was set: without it `clean` removes nothing from an account, and beside a running emulator nothing is changed.
export TARGET_ORIGIN := $(origin TARGET)
# The goals and settings of this call, for commands that scripts print
export GOALS         := $(MAKECMDGOALS)
export SETTINGS      := $(filter-out TARGET=%,$(MAKEOVERRIDES))

EMULATOR    := $(if $(filter local,$(TARGET)),emulator-up)
CLUSTER_AWS := deploy-ecs-cluster deploy-ecs-service
CLUSTER_TF  := deploy-ecs-cluster-tf deploy-ecs-service
SUITES      := run-lambda-test-unittest run-lambda-test-aws run-api-test run-fleet-test
ENTRY_POINTS_AWS   := deploy-lambda-aws deploy-api-aws deploy-fleet-aws deploy-operations-aws
ENTRY_POINTS_TF    := deploy-lambda-aws-tf deploy-api-aws-tf deploy-fleet-aws-tf deploy-operations-aws-tf
STEPS_AWS   := build-lambda-package $(EMULATOR) $(CLUSTER_AWS) $(ENTRY_POINTS_AWS) $(SUITES)
STEPS_TF    := build-lambda-package $(EMULATOR) $(CLUSTER_TF) $(ENTRY_POINTS_TF) $(SUITES)
STEPS_LOCAL := build-lambda-package emulator-up deploy-ecs-cluster deploy-ecs-service deploy-lambda-sam run-lambda-test-sam

.PHONY: help
help: ## List the targets
	@[ -t 1 ] && bold=$$'\033[1m' plain=$$'\033[0m' || bold= plain=; \
	awk -F ':.*## ' -v bold="$$bold" -v plain="$$plain" \
	  '/^[a-z][a-z-]*:.*## / { printf "%s%-28s%s %s\n", bold, $$1, plain, $$2 } /^##@ / { printf "\n%s\n", substr($$0, 5) }' $(MAKEFILE_LIST)

##@ Try it, without an AWS account
.PHONY: all-local test test-all test-e2e test-faults test-page fuzz bench-fleet lint
all-local: ## Build, deploy to the emulator, run the eight test events through SAM, remove everything
	@scripts/pipeline $(STEPS_LOCAL)

test: ## Run unit, contract and simulation tests, with a sample of the faults
	@scripts/test

test-all: ## Run every test, with all faults, on the emulator, in containers and in a browser
	@scripts/test all

test-e2e: ## Run only the tests with emulator, SAM, Terraform, containers and browser
	@scripts/test e2e

test-faults: ## Run only the faults and interleavings, all of them, and print their figures
	@scripts/test faults

fuzz: ## Run EVENTS random events on all ways in, of SEED, or one CASE again, and print how far they came
	@FUZZ_EVENTS=$(EVENTS) FUZZ_SEED=$(SEED) FUZZ_CASE=$(CASE) scripts/test fuzz

test-page: ## Run only the tests of the API's page in Chromium; screenshots go to build/page-screenshots
	@scripts/test page

bench-fleet: ## Measure a batch of SERVICES=100 within ECS's rate limits, compared with another tool
	@scripts/bench-fleet $(OPTIONS)

lint: ## Run mypy, ruff, pylint, words, codespell, zizmor, cfn-lint, shellcheck, checkov and Terraform's checks
	@scripts/lint

##@ With an AWS account, or with TARGET=local on the emulator
.PHONY: all-aws all-aws-tf deployer-policy
all-aws: ## Build, deploy with CloudFormation, run all suites, remove everything
	@scripts/pipeline $(STEPS_AWS)

all-aws-tf: ## Build, deploy with Terraform, run all suites, remove everything
	@scripts/pipeline $(STEPS_TF)

deployer-policy: ## Print the IAM policy for deploying; POLICY=network, ledger, api, fleet, push, codepipeline, operations, target, strategy, instances, direct, fields, express, hardening or notify prints the others
	@scripts/deployer-policy $(POLICY)

##@ One step at a time
.PHONY: build-lambda-package sbom dist image deploy-ecs-cluster deploy-ecs-cluster-tf deploy-ecs-service
.PHONY: deploy-lambda-sam deploy-lambda-aws deploy-lambda-aws-tf deploy-api-aws deploy-api-aws-tf deploy-fleet-aws deploy-fleet-aws-tf
.PHONY: deploy-push-aws deploy-push-aws-tf deploy-codepipeline-aws deploy-codepipeline-aws-tf deploy-operations-aws deploy-operations-aws-tf deploy-target-aws deploy-target-aws-tf deploy-waf-aws deploy-waf-aws-tf deploy-notify-aws deploy-notify-aws-tf
build-lambda-package: ## Build the function's bundle, build/ecs-updater-package.zip; with API_AUTH=jwt the authoriser's too
	@scripts/build-lambda-package

sbom: ## Build both bundles and write a software bill of materials of each, build/*.cdx.json (CycloneDX)
	@scripts/sbom

dist: ## Build the Python package of the command line, wheel and source archive, in build/dist
	@scripts/dist

image: ## Build the container image of the command line
	@scripts/build-image

deploy-ecs-cluster: ## Deploy network and cluster (CloudFormation)
	@scripts/deploy-ecs-cluster

deploy-ecs-cluster-tf: ## Deploy network and cluster (Terraform)
	@scripts/deploy-tf ecs-cluster

deploy-ecs-service: ## Create the dummy service or reset it (aws cli)
	@scripts/deploy-ecs-service

deploy-lambda-sam: ## Deploy ledger and function to the emulator (SAM)
	@scripts/deploy-lambda-sam

deploy-lambda-aws: ## Deploy ledger and function (CloudFormation)
	@scripts/deploy-lambda-aws

deploy-lambda-aws-tf: ## Deploy ledger and function (Terraform)
	@scripts/deploy-tf lambda

deploy-api-aws: ## Deploy the HTTP API (CloudFormation)
	@scripts/deploy-api-aws

deploy-api-aws-tf: ## Deploy the HTTP API (Terraform)
	@scripts/deploy-tf api

deploy-fleet-aws: ## Deploy the queue for many services and its worker (CloudFormation)
	@scripts/deploy-fleet-aws

deploy-fleet-aws-tf: ## Deploy the queue for many services and its worker (Terraform)
	@scripts/deploy-tf fleet

deploy-push-aws: ## Deploy the function that deploys pushed images, with its queue (CloudFormation)
	@scripts/deploy-push-aws

deploy-push-aws-tf: ## Deploy the function that deploys pushed images, with its queue (Terraform)
	@scripts/deploy-tf push

deploy-codepipeline-aws: ## Deploy the function for actions of AWS CodePipeline (CloudFormation)
	@scripts/deploy-codepipeline-aws

deploy-codepipeline-aws-tf: ## Deploy the function for actions of AWS CodePipeline (Terraform)
	@scripts/deploy-tf codepipeline

deploy-operations-aws: ## Deploy the alarms of the deployed parts, and the dashboard (CloudFormation)
	@scripts/deploy-operations-aws

deploy-operations-aws-tf: ## Deploy the alarms of all parts, and the dashboard (Terraform)
	@scripts/deploy-tf operations

deploy-target-aws: ## Deploy the roles of a target, in another account or region than the function's (CloudFormation)
	@scripts/deploy-target-aws

deploy-target-aws-tf: ## Deploy the roles of a target, in another account or region than the function's (Terraform)
	@scripts/deploy-tf target

deploy-waf-aws: ## Associate the web ACL WEB_ACL_ARN of AWS WAF with the API (CloudFormation)
	@scripts/deploy-waf-aws

deploy-waf-aws-tf: ## Associate the web ACL WEB_ACL_ARN of AWS WAF with the API (Terraform)
	@scripts/deploy-tf waf

deploy-notify-aws: ## Deploy the posts of verdicts to Slack and Microsoft Teams (CloudFormation)
	@scripts/deploy-notify-aws

deploy-notify-aws-tf: ## Deploy the posts of verdicts to Slack and Microsoft Teams (Terraform)
	@scripts/deploy-tf notify

.PHONY: run-lambda-test-sam run-lambda-test-aws run-lambda-test-unittest run-lambda-test-inittest
.PHONY: run-lambda-test-unittest-sam invoke-sam run-api-test run-fleet-test deploy-fleet api-key api-url
run-lambda-test-sam: ## Run the eight test events through SAM
	@scripts/run-suite lambda-sam

run-lambda-test-aws: ## Run the eight test events through the aws cli
	@scripts/run-suite lambda-aws

run-lambda-test-unittest: ## Run the eight test events through pytest with one check per field
	@scripts/run-suite lambda-unittest

run-lambda-test-inittest: run-lambda-test-unittest

run-lambda-test-unittest-sam: ## Run them against `sam local start-lambda` in Docker
	@scripts/sam-start-lambda scripts/run-suite lambda-unittest

invoke-sam: ## Invoke the function with your event: make invoke-sam EVENT=event.json
	@scripts/run-suite lambda-sam --event "$$EVENT"

run-api-test: ## Send the eight test events to the API, then run the API's suite
	@scripts/run-suite api

run-fleet-test: ## Deploy a file of services through the queue and compare the results
	@scripts/run-suite fleet

deploy-fleet: ## Deploy the services of a file and watch them: make deploy-fleet FILE=deployments.yaml OPTIONS=-i
	@scripts/deploy-fleet $(OPTIONS)

api-key: ## Print only the API key
	@scripts/api-key

api-url: ## Print only the URL of the API
	@scripts/api-url

.PHONY: lambda-base-image emulator-up emulator-down emulator-env clean distclean
emulator-up: ## Start the embedded AWS emulator
	@scripts/emulator up

emulator-down: ## Stop the embedded AWS emulator
	@scripts/emulator down

emulator-env: ## Print shell commands that point the aws cli and ecs-updater to the emulator, for eval
	@scripts/emulator env

lambda-base-image: ## Build a substitute for Lambda's base image if no registry can be reached
	@scripts/build-lambda-base-image

clean: ## Remove everything that the pipelines created, except the installed tools
	@scripts/clean

distclean: clean ## Remove the installed tools as well
	@rm -rf '$(TOOLS_DIR)'
