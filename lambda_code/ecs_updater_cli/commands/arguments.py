"""The commands with their arguments, options and help.

A command imports its code when it runs, so that help and shell completion start fast.
"""

from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from ..completion import complete_name
from .options import AS_JSON, AccountOptions, BatchOptions, Option, StartOptions, WatchOptions
from .update_options import UpdateOptions


class Command(click.Command):
    """A command whose help has a section for each group of options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the options."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            row = parameter.get_help_record(ctx)
            if row and isinstance(parameter, click.Option):
                groups.setdefault(getattr(parameter, "group", "Options"), []).append(row)
        for group, rows in groups.items():
            with formatter.section(group):
                formatter.write_dl(rows)


def _command(
    function: str, *parameters: click.Parameter, about: str, **dataclasses: type
) -> Command:
    """Returns the command that runs `MODULE.FUNCTION` of this package.

    The function gets the parameters and, by these names, the `dataclasses` of options. It returns
    the exit code.
    """
    module, _, name = function.partition(".")
    options = [
        each.metadata["option"] for shared in dataclasses.values() for each in fields(shared)
    ]

    def run(**values: Any) -> Any:
        for shared, dataclass in dataclasses.items():
            own = {each.name: values.pop(each.name) for each in fields(dataclass)}
            values[shared] = dataclass(**own)
        return getattr(import_module(f".{module}", __package__), name)(**values)

    return Command(name, params=[*parameters, *options], callback=run, help=about)


_CLUSTER = click.Argument(
    ["cluster"], shell_complete=complete_name, help="The cluster, by name or ARN."
)
_SERVICE = click.Argument(
    ["service"], shell_complete=complete_name, help="The service, by name or ARN."
)
_BATCH = click.Argument(["batch"], help="The batch's id, which deploy printed first.")
_FILE = (
    click.Argument(
        ["file"],
        type=click.Path(path_type=Path),
        metavar="[FILE]",
        required=False,
        help=(
            "The deployments, as JSON or YAML; - is standard input. Default: deployments.yaml, "
            "deployments.yml or deployments.json."
        ),
    ),
    Option(
        "--file",
        "-f",
        "file_option",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The same as the argument FILE.",
    ),
)
_TARGET = Option(
    "--target",
    metavar="TARGET",
    help="Another account and region, by its name in the function's targets.",
)
_TARGET_OF_ENTRIES = Option(
    "--target",
    metavar="TARGET",
    help="The target of entries that name none: another account and region.",
)
_ORDER = (
    Option(
        "--waves",
        is_flag=True,
        help=(
            "Deploy group after group, services without one first; the next starts when all "
            "before succeeded."
        ),
    ),
    Option(
        "--max-failures",
        type=click.IntRange(min=1),
        metavar="N",
        help="Start no further service after this many failures. Default: start all.",
    ),
)

_ANSWERED = """The hook is answered once, and the ledger has who answered it and when. Needs
        ecs:ContinueServiceDeployment and the ledger. Exit codes: 0 answered; 1 the hook awaits no
        answer, or ECS rejected it; 2 the input is invalid, or APPROVALS=off is set; 3 AWS could
        not be reached or rejected the call.
        """
_ANSWERS = {
    "approve": f"""Continue a deployment that awaits approval at a pause hook.

        {_ANSWERED}""",
    "reject": f"""Roll back a deployment that awaits approval at a pause hook.

        {_ANSWERED}""",
}
"""The help of the commands that answer a hook."""

COMMANDS = (
    _command(
        "deploy.deploy",
        *_FILE,
        *_ORDER,
        _TARGET_OF_ENTRIES,
        options=BatchOptions,
        about="""Deploy the services of a file and wait for their verdicts.

        The file is a list of events, or a map with `defaults` and `deployments`. It is checked as
        a whole before anything is sent. Ctrl-C detaches, and `ecs-updater watch` resumes.

        Exit codes: 0 all succeeded or had nothing to change; 1 some did not, or not within
        --timeout; 2 the input is invalid or not allowed, and nothing was deployed; 3 AWS could not
        be reached or rejected the call; 130 detached, by Ctrl-C.
        """,
    ),
    _command(
        "sync.sync",
        *_FILE,
        Option(
            "--check",
            is_flag=True,
            help="Only compare, with exit code 4 if a service differs, and write nothing.",
        ),
        *_ORDER,
        _TARGET_OF_ENTRIES,
        options=StartOptions,
        about="""Deploy what differs between a file and its services.

        Compares each entry of the file with its service and prints the differences. Deploys only
        the entries that differ, as `ecs-updater deploy` does. What the file does not name stays.
        The exit codes are those of `ecs-updater deploy`, and with --check: 0 nothing differs; 1 a
        service cannot be updated; 4 some services differ.
        """,
    ),
    _command(
        "sync.export",
        Option(
            "--cluster",
            metavar="CLUSTER",
            required=True,
            shell_complete=complete_name,
            help="The cluster, by name or ARN.",
        ),
        _TARGET,
        options=AccountOptions,
        about="""Write a file of the services of a cluster: their images and tags, as YAML.

        Only reads. A service that cannot be updated is a comment with the reason. Exit codes: 0
        written; 1 no service can be updated; 2 the input is invalid, or the cluster does not
        exist; 3 AWS could not be reached or rejected the call.
        """,
    ),
    _command(
        "watch.watch",
        _BATCH,
        Option(
            "--direct",
            is_flag=True,
            help="Start the remaining updates from this machine, for a batch deployed so.",
        ),
        options=WatchOptions,
        about="""Resume a batch and wait for its verdicts.

        Updates that were not sent are sent, and the waves continue. The exit codes are those of
        `ecs-updater deploy`.
        """,
    ),
    _command(
        "watch.stop",
        _BATCH,
        options=AccountOptions,
        about="""Start no further service of a batch.

        Started updates continue until they have their verdict. Exit codes: 0, also if the batch is
        over already; 2 the batch does not exist; 3 AWS could not be reached or rejected the call.
        """,
    ),
    _command(
        "deploy.update",
        _CLUSTER,
        _SERVICE,
        click.Argument(
            ["image"],
            required=False,
            help=(
                "The new image: [registry/]repository[:tag][@digest]. Not needed with an option "
                "that changes something else."
            ),
        ),
        _TARGET,
        changes=UpdateOptions,
        options=BatchOptions,
        about="""Update one service and wait for its verdict.

        What is not named stays as it is. The exit codes are those of `ecs-updater deploy`.
        """,
    ),
    _command(
        "deploy.rollback",
        _CLUSTER,
        _SERVICE,
        _TARGET,
        options=BatchOptions,
        about="""Return one service to its last good revision and its tags.

        The exit codes are those of `ecs-updater deploy`.
        """,
    ),
    *(
        _command(
            f"approve.{name}",
            _CLUSTER,
            _SERVICE,
            click.Argument(
                ["hook"],
                metavar="HOOK_ID",
                help="The hook that you have seen in the row awaiting approval.",
            ),
            _TARGET,
            AS_JSON,
            options=AccountOptions,
            about=about,
        )
        for name, about in _ANSWERS.items()
    ),
    _command(
        "run.run",
        _CLUSTER,
        _SERVICE,
        click.Argument(
            ["command"],
            nargs=-1,
            required=True,
            metavar="-- COMMAND...",
            help="The command and its arguments. What follows -- is not an option of ecs-updater.",
        ),
        Option(
            "--container",
            metavar="NAME",
            help="The container that runs the command, if there are several.",
        ),
        Option(
            "--task-definition",
            metavar="REVISION",
            help="The revision, as family:revision or ARN. Default: the running one.",
        ),
        Option(
            "--timeout",
            type=click.IntRange(1, 3600),
            metavar="SECONDS",
            default=600,
            show_default=True,
            help="Stop the task after this time, with exit code 1.",
        ),
        _TARGET,
        AS_JSON,
        options=AccountOptions,
        about="""Run a command in a one-off task of a service, and wait for its end.

        The task has the service's network, platform and capacity. The service does not change.
        Prints the last lines of the container's log (awslogs). Exit codes: 0 the command exited
        with 0; 1 it did not; 2 the input is invalid, or the service or the container does not
        exist; 3 AWS could not be reached or rejected the call; 130 interrupted.
        """,
    ),
    _command(
        "diff.diff",
        _CLUSTER,
        _SERVICE,
        click.Argument(
            ["first"],
            metavar="[REVISION]",
            required=False,
            help="The earlier revision, by number, name or ARN. Default: the one before.",
        ),
        click.Argument(
            ["second"],
            metavar="[REVISION]",
            required=False,
            help="The later revision. Default: the running one.",
        ),
        Option("--exit-code", is_flag=True, help="Exit with 1 if the revisions differ."),
        _TARGET,
        AS_JSON,
        options=AccountOptions,
        about="""Compare two revisions of a service, field by field.

        Only reads. Values that may be secrets are shown as (set). Exit codes: 0 compared; 1 with
        --exit-code: they differ; 2 the input is invalid, or the service or a revision does not
        exist; 3 AWS could not be reached or rejected the call.
        """,
    ),
    _command(
        "status.status",
        click.Argument(
            ["services"],
            nargs=-1,
            metavar="[SERVICE]...",
            shell_complete=complete_name,
            help="Services, by name. Default: all.",
        ),
        Option(
            "--cluster",
            metavar="CLUSTER",
            shell_complete=complete_name,
            help="Only the services of this cluster, by name or ARN.",
        ),
        Option(
            "--tag",
            multiple=True,
            metavar="KEY=VALUE",
            help="Only services with this tag; all of several.",
        ),
        _TARGET,
        AS_JSON,
        options=AccountOptions,
        about="""List services: tasks, rollout, revision, images, tags.

        Only reads. Exit codes: 0 found; 1 no service, or not each that was named; 2 the input is
        invalid; 3 AWS could not be reached or rejected the call.
        """,
    ),
    _command(
        "history.history",
        Option(
            "--cluster",
            metavar="CLUSTER",
            shell_complete=complete_name,
            help="Only updates in this cluster, by name or ARN.",
        ),
        Option(
            "--service",
            metavar="SERVICE",
            shell_complete=complete_name,
            help="Only updates of this service, by name with --cluster, or by ARN.",
        ),
        Option(
            "--limit",
            type=click.IntRange(1, 10_000),
            metavar="N",
            default=20,
            show_default=True,
            help="Maximum number of updates to list.",
        ),
        _TARGET,
        AS_JSON,
        options=AccountOptions,
        about="""List updates of the ledger with their outcome, newest first.

        Exit codes: 0; 2 the input is invalid; 3 AWS could not be reached or rejected the call.
        """,
    ),
    _command(
        "policies.policies",
        AS_JSON,
        options=AccountOptions,
        about="""List services with a policy for pushed images, and what it would deploy now.

        Only reads. Exit codes: 0; 1 a policy is invalid, or a repository could not be read; 2 the
        input is invalid; 3 AWS could not be reached or rejected the call.
        """,
    ),
    _command(
        "validate.validate",
        *_FILE,
        about="""Check a file as `deploy` does before it sends anything.

        Makes no call of AWS. Prints a line with the position of each problem. Exit codes: 0 valid,
        2 invalid.
        """,
    ),
)
