"""`python scripts/teardown …` and, with ``scripts`` on Python's path, `python -m teardown …`."""

import importlib
import sys
from pathlib import Path

# Before everything else that Python searches: a file of the current directory must not take the
# place of one of these.
sys.path[0] = str(Path(__file__).resolve().parents[1])
importlib.import_module("terminal").run_program(importlib.import_module("teardown.command").main)
