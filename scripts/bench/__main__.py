"""Runs all contenders: ``python -m bench --services 100``.

Exits with 1 if a run of this project exceeds a limit of ``report``.
"""

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path

from .contenders import run_ecs_deploy, run_ecs_updater
from .measurement import measure
from .report import find_exceeded_limits, format_runs, format_table
from .simulation import reconcile_open_updates, simulate
from .testbed import create_testbed


def main() -> int:
    """Prints the table of all runs and returns the exit status."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--services", type=int, default=100, help="services on the emulator")
    parser.add_argument(
        "--simulated",
        type=int,
        nargs="*",
        default=[100, 300, 1000],
        help="services of each simulated run",
    )
    parser.add_argument("--open", type=int, default=10_000, help="simulated open updates")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as directory,
        create_testbed(Path(directory), options.services) as testbed,
    ):
        few = max(1, options.services // 5)
        own = [
            measure("ecs-updater", run_ecs_updater, testbed, tag=2),
            measure("ecs-updater", run_ecs_updater, testbed, tag=3, changed=few),
            measure("ecs-updater, shared revisions", run_ecs_updater, testbed, tag=2, shares=True),
        ]
        peers = [
            measure("ecs-deploy, sequential", partial(run_ecs_deploy, 1), testbed, tag=4),
            measure("ecs-deploy, 20 in parallel", partial(run_ecs_deploy, 20), testbed, tag=5),
        ]
    simulated = [simulate(size, shares) for size in options.simulated for shares in (False, True)]
    print("\n".join(format_table([*own, *peers, *simulated])))
    print("", *format_runs(reconcile_open_updates(options.open)), sep="\n")
    exceeded = [
        text for measurement in (*own, *simulated) for text in find_exceeded_limits(measurement)
    ]
    for text in exceeded:
        print(f"✗ {text}", file=sys.stderr)
    return bool(exceeded)


if __name__ == "__main__":
    sys.exit(main())
