"""Removes what the pipelines made, in two steps that may both be repeated; between them
`terraform destroy` has its turn, if any.

`workload` removes the service, the revisions of its task definition, and what others hold of ours;
`infrastructure` the stacks from last to first, then what is in no stack and no state, then the
bucket for bundles.

Region, endpoint and credentials come from the environment. Exits with 1 when something was left
alone or could not be removed, each of which is named; everything else is removed by then.
"""

import argparse

from botocore.exceptions import BotoCoreError, ClientError

from teardown.api import remove_api
from teardown.bucket import remove_bucket
from teardown.fleet import remove_fleet
from teardown.ledger import remove_ledger
from teardown.network import remove_network
from teardown.orphans import remove_orphans
from teardown.project import Project, reason
from teardown.senders import take_from_everybody
from teardown.stacks import remove_stack
from teardown.workload import remove_revisions, remove_service, services_of_the_suite
from terminal import fail

STACKS = ("fleet", "api", "lambda", "ledger", "ecs", "vpc")  # Last to first.


def arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="teardown",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("verbs", nargs="+", choices=STEPS)
    for name in ("stack-name", "cluster", "service", "family", "function"):
        parser.add_argument(f"--{name}", required=True)
    return parser.parse_args()


def remove_workload(project: Project, given: argparse.Namespace) -> None:
    """Removes what runs in the cluster, what it ran, and what would keep a stack from going."""
    take_from_everybody(project, f"{given.stack_name}-fleet", given.function)
    for service in (given.service, *services_of_the_suite(given.service)):
        remove_service(project, given.cluster, service)
    remove_revisions(project, given.family)


def remove_infrastructure(project: Project, given: argparse.Namespace) -> None:
    """Removes everything else."""
    for part in STACKS:
        remove_stack(project, f"{given.stack_name}-{part}")
    remove_fleet(project, given.function)
    remove_api(project, given.function)
    remove_ledger(project, given.function)
    remove_orphans(project, given.cluster, given.function)
    remove_network(project)
    remove_bucket(project)


STEPS = {"workload": remove_workload, "infrastructure": remove_infrastructure}


def main() -> int:
    """Removes what the command line names; returns the exit status."""
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
