"""The settings of the Makefile that the test events use, with its own values."""

SETTINGS = {
    "CLUSTER_NAME": "ECSCluster",
    "SERVICE_NAME": "ecs-dummy-service",
    "TASK_DEFINITION_NAME": "ecs-dummy-task",
    "CONTAINER_IMAGE": "busybox",
    "TAG_NAME": "old-custom-tag-name",
    "TAG_VALUE": "old-custom-tag-value",
    "AWS_DEFAULT_REGION": "eu-west-1",
}
