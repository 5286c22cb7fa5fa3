"""Removes what the pipelines created, in two steps that can be repeated.

`workload` removes the service, its tasks and revisions, and attachments of the senders' policy;
`infrastructure` removes stacks, then what is in no stack and no state, of all names or with PART.
`terraform destroy` is between them. `owner STACK_NAME KIND NAME ...` prints ours, others or none.

Region, endpoint and credentials come from the environment. Exits with 1 if a resource was left.
"""

import argparse
import sys

from botocore.exceptions import BotoCoreError, ClientError

from teardown.aws import reason
from teardown.project import Project
from teardown.removal import find, remove_infrastructure
from teardown.workload import remove_workload
from terminal import fail

STEPS = {"workload": remove_workload, "infrastructure": remove_infrastructure}


def print_owners(stack_name: str, *resources: str) -> int:
    """Prints for each kind and name the owner, the kind and the name."""
    what = "the account"
    try:
        project = Project(stack_name)
        for kind, name in zip(resources[::2], resources[1::2], strict=True):
            what = f"{kind} {name}"
            owned = [project.owns(tags) for tags in find(project, kind, name).values()]
            print("none" if not owned else "ours" if all(owned) else "others", kind, name)
    except (BotoCoreError, ClientError) as error:
        fail(f"{what} cannot be read: {reason(error)}")
    return 0


def main() -> int:
    """Removes what the command line names; returns the exit status."""
    if sys.argv[1:2] == ["owner"]:
        return print_owners(*sys.argv[2:])
    parser = argparse.ArgumentParser("teardown", description=__doc__)
    parser.add_argument("verbs", nargs="+", choices=STEPS)
    for name in ("stack-name", "cluster", "service", "family", "function"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--part", default="")
    given = parser.parse_args()
    stopped = "the removal stopped, make clean continues it"
    try:
        project = Project(given.stack_name)
    except (BotoCoreError, ClientError) as error:
        fail(f"{stopped}: {reason(error)}")
    for verb in given.verbs:
        try:
            STEPS[verb](project, given)
        except (BotoCoreError, ClientError) as error:
            project.complain(f"{stopped}: {reason(error)}")  # The next step has its turn.
    return 1 if project.something_is_left else 0
