"""Removes what the pipelines created, in two steps that can be repeated. `terraform destroy` comes
between them.

`workload` removes the service, the revisions of its task definition, and attachments of the
senders' policy; `infrastructure` the stacks from last to first, then what is in no stack and no
state, then the bucket for bundles. `owner STACK_NAME KIND NAME ...` only prints the owners of
resources by their tags: ours, others or none.

Region, endpoint and credentials come from the environment. Exits with 1 when a resource was left or
could not be removed; each is named, and everything else is removed by then.
"""

import argparse
import sys

from botocore.exceptions import BotoCoreError, ClientError

from teardown.kinds import remove, tags_of
from teardown.network import remove_network
from teardown.orphans import remove_orphans
from teardown.project import Project, reason, skipping_missing
from teardown.stacks import remove_stack
from teardown.workload import (
    detach_senders,
    remove_revisions,
    remove_service,
    services_of_the_suite,
)
from terminal import fail

STACKS = ("fleet", "api", "lambda", "ledger", "ecs", "vpc")  # Last to first.


def arguments() -> argparse.Namespace:
    """Reads the command line."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("teardown", description=__doc__, formatter_class=form)
    parser.add_argument("verbs", nargs="+", choices=STEPS)
    for name in ("stack-name", "cluster", "service", "family", "function"):
        parser.add_argument(f"--{name}", required=True)
    return parser.parse_args()


def remove_workload(project: Project, given: argparse.Namespace) -> None:
    """Removes what runs in the cluster, what it ran, and what would keep a stack from going."""
    detach_senders(project, f"{given.stack_name}-fleet", given.function)
    for service in (given.service, *services_of_the_suite(given.service)):
        remove_service(project, given.cluster, service)
    remove_revisions(project, given.family)


def remove_infrastructure(project: Project, given: argparse.Namespace) -> None:
    """Removes everything else."""
    for part in STACKS:
        remove_stack(project, f"{given.stack_name}-{part}")
    remove_orphans(project, given.cluster, given.function)
    remove_network(project)
    # Names of buckets are unique over all accounts: the account is in it.
    bucket = f"{given.stack_name}-artifacts-{project.account}-{project.region}".lower()
    remove(project, "bucket", bucket, "STACK_NAME")


def print_owners(stack_name: str, *resources: str) -> int:
    """Prints for each kind and name the owner, the kind and the name."""
    what = "the account"
    try:
        project = Project(stack_name)
        for kind, name in zip(resources[::2], resources[1::2], strict=True):
            what, tags = f"{kind} {name}", None
            with skipping_missing():
                tags = tags_of(project, kind, name)
            owner = "none" if tags is None else "ours" if project.owns(tags) else "others"
            print(owner, kind, name)
    except (BotoCoreError, ClientError) as error:
        fail(f"{what} cannot be read: {reason(error)}")
    return 0


STEPS = {"workload": remove_workload, "infrastructure": remove_infrastructure}


def main() -> int:
    """Removes what the command line names; returns the exit status."""
    if sys.argv[1:2] == ["owner"]:
        return print_owners(*sys.argv[2:])
    given = arguments()
    try:
        project = Project(given.stack_name)
    except (BotoCoreError, ClientError) as error:
        fail(_stopped(error))
    for verb in given.verbs:
        try:
            STEPS[verb](project, given)
        except (BotoCoreError, ClientError) as error:
            project.complain(_stopped(error))  # The next step has its turn all the same.
    return 1 if project.something_is_left else 0


def _stopped(error: Exception) -> str:
    return f"removing stopped, make clean goes on from here: {reason(error)}"
