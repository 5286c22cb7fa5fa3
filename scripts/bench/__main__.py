"""``python -m bench --services 100``: see the package's docstring.

Exits 1 when a promise is broken.
"""

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path

from . import forward, ours, peers
from .measure import measure
from .stage import stage
from .table import broken_promises, rows


def main() -> int:
    """Runs all contenders over one fleet."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--services", type=int, default=100, help="the size of the fleet")
    parser.add_argument(
        "--simulated",
        type=int,
        nargs="*",
        default=[100, 300, 1000],
        help="sizes of simulated fleets",
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, stage(Path(directory), asked.services) as made:
        few = max(1, asked.services // 5)
        mine = [
            measure("ecs-updater", ours.deploy, made, tag=2),
            measure("ecs-updater", ours.deploy, made, tag=3, changed=few),
        ]
        theirs = [
            measure("ecs-deploy, one after the other", partial(peers.deploy, 1), made, tag=4),
            measure("ecs-deploy, 20 at once", partial(peers.deploy, 20), made, tag=5),
        ]
    simulated = [forward.run(size) for size in asked.simulated]
    print("\n".join(rows([*mine, *theirs, *simulated])))
    broken = [text for one in (*mine, *simulated) for text in broken_promises(one)]
    for text in broken:
        print(f"✗ {text}", file=sys.stderr)
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
