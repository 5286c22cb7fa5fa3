"""`python -m ecs_updater_cli`: the same as the console script."""

from .main import main

main()
