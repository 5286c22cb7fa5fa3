# The one way in: `make` lists the targets; each can be run alone, and again.
#
# The settings below are overridden on the command line: make all-local EMULATOR_PORT=4567
# The environment does not override them: a variable that a machine happens to have must not change a run.

# What runs on this machine and nowhere else
LOCAL_GOALS := all-local emulator-up deploy-lambda-sam run-lambda-test-sam run-lambda-test-unittest-sam invoke-sam \
  lambda-base-image test test-all test-e2e test-faults test-page bench-fleet

# The ECS service that the pipeline makes, as it is before the first update
CLUSTER_NAME         := ECSCluster
SERVICE_NAME         := ecs-dummy-service
TASK_DEFINITION_NAME := ecs-dummy-task
CONTAINER_IMAGE      := busybox
# FARGATE, or EC2 for instances of one's own
LAUNCH_TYPE          := FARGATE
TAG_NAME             := old-custom-tag-name
TAG_VALUE            := old-custom-tag-value

# The function
LAMBDA_FUNCTION_NAME := ecs-updater
LAMBDA_ARCH           = $(if $(filter local,$(TARGET)),$(LOCAL_ARCH),x86_64)
LAMBDA_RUNTIME        = $(if $(filter local,$(TARGET)),$(LOCAL_RUNTIME),python3.13)
# ARN of a policy that bounds every role, where an organisation asks for one
PERMISSIONS_BOUNDARY :=
# What events may ask for, as shell patterns separated by commas: image references, and services as cluster/service. Empty: everything
ALLOWED_IMAGES       :=
ALLOWED_SERVICES     :=
# Whether DynamoDB refuses to delete the ledger's table. The pipelines remove what they make, and an emulator keeps nothing
DELETION_PROTECTION   = $(if $(filter all-%,$(MAKECMDGOALS))$(filter local,$(TARGET)),false,true)
# -1 reserves nothing, for an account too small to reserve
RESERVED_CONCURRENCY := 1

# What the API asks of a call: its key, or (iam) its key and a signature with IAM's credentials
API_AUTH             := key

# Where it goes: the stacks $(STACK_NAME)-vpc, -ecs, -ledger, -lambda, -api and -fleet, and the tags of everything in them
STACK_NAME           := ecs-updater
AWS_DEFAULT_REGION   := eu-west-1
ENVIRONMENT          := development
OWNER                := platform
# Whom to ask about them: an address or a name
CONTACT              := not-set

# `local` is the emulator on this machine; `aws` the account that the aws cli reaches from this shell, asked about once unless YES=1
TARGET               := $(if $(filter $(LOCAL_GOALS),$(MAKECMDGOALS)),local,aws)
YES                  :=
# Whose policies deployer-policy prints; without it, of the account that the aws cli reaches
ACCOUNT              :=

# The deployments for deploy-fleet, and options of `ecs-updater deploy`, such as OPTIONS='-i --waves'
FILE                 := deployments.json
OPTIONS              :=
# The size of the fleet that bench-fleet measures
SERVICES             := 100

# Local runs: `sam local invoke` in Docker, `sam remote invoke` on the emulator, or whatever this machine can do (auto)
SAM_MODE             := $(if $(filter all-aws all-aws-tf,$(MAKECMDGOALS)),emulator,auto)
# true: the emulator enforces IAM policies
EMULATOR_AUTH        :=
# 127.0.0.1 or, while the function runs in a container, the address of this machine in Docker's own network
EMULATOR_HOST        :=
EMULATOR_PORT        := 4566
# Lambda's API when it is elsewhere than the rest of AWS; scripts/sam-start-lambda sets it
LAMBDA_ENDPOINT_URL  :=

# This machine
PYTHON               := python3
BUILD_DIR            := $(CURDIR)/build
TOOLS_DIR            := $(CURDIR)/.tools
AWS_CLI              := $(TOOLS_DIR)/aws/bin/aws
LAMBDA_PACKAGE       := $(BUILD_DIR)/ecs-updater-package.zip

LOCAL_ARCH            = $(subst aarch64,arm64,$(shell uname -m))
LOCAL_RUNTIME         = $(shell $(PYTHON) -c 'import sys; print("python%d.%d" % sys.version_info[:2])' 2>/dev/null)

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
# Targets that are named together are steps: one after the other, whatever -j says.
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

export CLUSTER_NAME SERVICE_NAME TASK_DEFINITION_NAME CONTAINER_IMAGE TAG_NAME TAG_VALUE LAUNCH_TYPE
export LAMBDA_FUNCTION_NAME LAMBDA_ARCH LAMBDA_RUNTIME LAMBDA_PACKAGE RESERVED_CONCURRENCY PERMISSIONS_BOUNDARY API_AUTH
export ALLOWED_IMAGES ALLOWED_SERVICES DELETION_PROTECTION
export STACK_NAME AWS_DEFAULT_REGION ENVIRONMENT OWNER CONTACT
export TARGET YES ACCOUNT SAM_MODE EMULATOR_AUTH EMULATOR_HOST EMULATOR_PORT LAMBDA_ENDPOINT_URL
export PYTHON BUILD_DIR TOOLS_DIR AWS_CLI EVENT FILE SERVICES
# Whether TARGET was asked for: nothing is removed from an account that nobody named.
export TARGET_ORIGIN := $(origin TARGET)

EMULATOR    := $(if $(filter local,$(TARGET)),emulator-up)
CLUSTER_AWS := deploy-ecs-cluster deploy-ecs-service
CLUSTER_TF  := deploy-ecs-cluster-tf deploy-ecs-service
SUITES      := run-lambda-test-unittest run-lambda-test-aws run-api-test run-fleet-test
DOORS_AWS   := deploy-lambda-aws deploy-api-aws deploy-fleet-aws
DOORS_TF    := deploy-lambda-aws-tf deploy-api-aws-tf deploy-fleet-aws-tf
STEPS_AWS   := build-lambda-package $(EMULATOR) $(CLUSTER_AWS) $(DOORS_AWS) $(SUITES)
STEPS_TF    := build-lambda-package $(EMULATOR) $(CLUSTER_TF) $(DOORS_TF) $(SUITES)
STEPS_LOCAL := build-lambda-package emulator-up deploy-ecs-cluster deploy-ecs-service deploy-lambda-sam run-lambda-test-sam

.PHONY: help
help: ## List the targets
	@[ -t 1 ] && bold=$$'\033[1m' plain=$$'\033[0m' || bold= plain=; \
	awk -F ':.*## ' -v bold="$$bold" -v plain="$$plain" \
	  '/^[a-z][a-z-]*:.*## / { printf "%s%-28s%s %s\n", bold, $$1, plain, $$2 } /^##@ / { printf "\n%s\n", substr($$0, 5) }' $(MAKEFILE_LIST)

##@ Try it, without an AWS account
.PHONY: all-local test test-all test-e2e test-faults test-page bench-fleet lint
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

test-page: ## Run only the tests of the API's page in Chromium; screenshots go to build/page-screenshots
	@scripts/test page

bench-fleet: ## Measure how long a fleet takes against ECS's own quotas, beside another tool; SERVICES=100
	@scripts/bench-fleet $(OPTIONS)

lint: ## mypy, ruff, pylint, words, codespell, cfn-lint, shellcheck, checkov, Terraform's own checks
	@scripts/lint

##@ With an AWS account, or with TARGET=local on the emulator
.PHONY: all-aws all-aws-tf deployer-policy
all-aws: ## Build, deploy with CloudFormation, run all suites, remove everything
	@scripts/pipeline $(STEPS_AWS)

all-aws-tf: ## The same with Terraform
	@scripts/pipeline $(STEPS_TF)

deployer-policy: ## Print the IAM policy that a person needs for it; POLICY=network, ledger, api, fleet or instances prints the others
	@scripts/deployer-policy $(POLICY)

##@ One step at a time
.PHONY: build-lambda-package deploy-ecs-cluster deploy-ecs-cluster-tf deploy-ecs-service
.PHONY: deploy-lambda-sam deploy-lambda-aws deploy-lambda-aws-tf deploy-api-aws deploy-api-aws-tf deploy-fleet-aws deploy-fleet-aws-tf
build-lambda-package: ## Make the function's bundle, build/ecs-updater-package.zip
	@scripts/build-lambda-package

deploy-ecs-cluster: ## Deploy network and cluster (CloudFormation)
	@scripts/deploy-ecs-cluster

deploy-ecs-cluster-tf: ## Deploy network and cluster (Terraform)
	@scripts/deploy-tf ecs-cluster

deploy-ecs-service: ## Make the dummy service, or put it back into its first state (aws cli)
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

.PHONY: run-lambda-test-sam run-lambda-test-aws run-lambda-test-unittest run-lambda-test-inittest
.PHONY: run-lambda-test-unittest-sam invoke-sam run-api-test run-fleet-test deploy-fleet api-key api-url
run-lambda-test-sam: ## Run the eight test events through SAM
	@scripts/run-suite lambda-sam

run-lambda-test-aws: ## Run the eight test events through the aws cli
	@scripts/run-suite lambda-aws

run-lambda-test-unittest: ## Run the eight test events through pytest, check by check
	@scripts/run-suite lambda-unittest

run-lambda-test-inittest: run-lambda-test-unittest

run-lambda-test-unittest-sam: ## The same against `sam local start-lambda`, in Docker
	@scripts/sam-start-lambda scripts/run-suite lambda-unittest

invoke-sam: ## Invoke the function with an event of your own: make invoke-sam EVENT=event.json
	@scripts/run-suite lambda-sam --event "$$EVENT"

run-api-test: ## Send the eight test events to the API, then run the API's own suite
	@scripts/run-suite api

run-fleet-test: ## Deploy a file of services through the queue, send events as other programs do, compare
	@scripts/run-suite fleet

deploy-fleet: ## Deploy the services of a file together and watch them: make deploy-fleet FILE=deployments.json OPTIONS=-i
	@scripts/deploy-fleet $(OPTIONS)

api-key: ## Print the value of the API's key, and nothing else
	@scripts/api-key

api-url: ## Print the address of the API, and nothing else
	@scripts/api-url

.PHONY: lambda-base-image emulator-up emulator-down clean distclean
emulator-up: ## Start the embedded AWS emulator
	@scripts/emulator up

emulator-down: ## Stop it
	@scripts/emulator down

lambda-base-image: ## Build a stand-in for Lambda's base image, where no registry can be reached
	@scripts/build-lambda-base-image

clean: ## Remove everything that the pipelines made; the installed tools stay
	@scripts/clean

distclean: clean ## Remove the installed tools too
	@rm -rf '$(TOOLS_DIR)'
