"""Removes from AWS, or from an emulator of it, what the pipelines made; what is not there any more is passed over.

Usage: teardown.py --cluster NAME --service NAME --family NAME --bucket NAME STACK [STACK ...]

In this order: the service, every revision of the task-definition family, the stacks as they are given, the bucket (in
its name `{account}` stands for the account's number). Region, endpoint and credentials come from the environment.
"""

import argparse
import time
from collections.abc import Callable, Iterator

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from terminal import fail, run_program, say

DRAIN_SECONDS = 300
STACK_SECONDS = 900
PAGE = 10  # DeleteTaskDefinitions takes no more at once.


def code(error: ClientError) -> str:
    """Returns the error's code, such as ServiceNotFoundException."""
    return error.response.get("Error", {}).get("Code", "")


def until(done: Callable[[], bool], seconds: float) -> bool:
    """Asks until the answer is true; returns False when it is not within the time."""
    deadline = time.monotonic() + seconds
    pause = 0.1
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 2, 5)
    return True


def remove_service(ecs, cluster: str, service: str) -> None:
    """Deletes the service and waits until its tasks are gone: the cluster and its network cannot go before them."""

    def gone() -> bool:
        found = ecs.describe_services(cluster=cluster, services=[service])["services"]
        return all(one["status"] == "INACTIVE" for one in found)

    try:
        if gone():
            return
        say(f"removing service {service}")
        ecs.delete_service(cluster=cluster, service=service, force=True)
        if not until(gone, DRAIN_SECONDS):
            fail(f"service {service} still has tasks after {DRAIN_SECONDS} seconds: wait, then make clean again")
    except ClientError as error:
        if code(error) not in ("ClusterNotFoundException", "ServiceNotFoundException", "ServiceNotActiveException"):
            raise


def revisions(ecs, family: str, status: str) -> Iterator[str]:
    """Yields the ARN of every revision of exactly this family with this status."""
    for page in ecs.get_paginator("list_task_definitions").paginate(familyPrefix=family, status=status):
        for arn in page["taskDefinitionArns"]:
            if arn.rpartition("/")[2].rpartition(":")[0] == family:
                yield arn


def remove_revisions(ecs, family: str) -> None:
    """Deregisters and deletes every revision of the family."""
    active = list(revisions(ecs, family, "ACTIVE"))
    for arn in active:
        ecs.deregister_task_definition(taskDefinition=arn)
    inactive = list(revisions(ecs, family, "INACTIVE"))
    if inactive:
        say(f"removing {len(inactive)} revision{'s' * (len(inactive) > 1)} of task definition {family}")
    for first in range(0, len(inactive), PAGE):
        for failure in ecs.delete_task_definitions(taskDefinitions=inactive[first:first + PAGE])["failures"]:
            fail(f"{failure.get('arn')} could not be deleted: {failure.get('reason')}")


def remove_stack(cloudformation, stack: str) -> None:
    """Deletes a stack and waits until it is gone."""
    try:
        stack_id = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
    except ClientError as error:
        if code(error) == "ValidationError" and "does not exist" in str(error):
            return
        raise
    say(f"removing stack {stack}")
    cloudformation.delete_stack(StackName=stack)

    def done() -> bool:
        # By its id, a stack that is gone can still be read.
        return not cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"].endswith("_IN_PROGRESS")

    until(done, STACK_SECONDS)
    status = cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"]
    if status == "DELETE_COMPLETE":
        return
    reasons = [
        f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
        for event in cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
        if event["ResourceStatus"] == "DELETE_FAILED" and event["LogicalResourceId"] != stack
    ]
    fail(f"stack {stack} is {status}, not deleted. {reasons[-1] if reasons else ''}")


def remove_bucket(s3, bucket: str) -> None:
    """Empties and deletes a bucket."""
    try:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            if keys := [{"Key": item["Key"]} for item in page.get("Contents", [])]:
                s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
        say(f"removing bucket {bucket}")
        s3.delete_bucket(Bucket=bucket)
    except ClientError as error:
        if code(error) not in ("NoSuchBucket", "404"):
            raise


def main() -> None:
    """Removes what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("cluster", "service", "family", "bucket"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("stack", nargs="+")
    arguments = parser.parse_args()
    try:
        remove_service(boto3.client("ecs"), arguments.cluster, arguments.service)
        remove_revisions(boto3.client("ecs"), arguments.family)
        for stack in arguments.stack:
            remove_stack(boto3.client("cloudformation"), stack)
        account = boto3.client("sts").get_caller_identity()["Account"]
        remove_bucket(boto3.client("s3"), arguments.bucket.format(account=account))
    except (BotoCoreError, ClientError) as error:
        fail(f"removing failed, make clean goes on from here: {error}")


if __name__ == "__main__":
    run_program(main)
