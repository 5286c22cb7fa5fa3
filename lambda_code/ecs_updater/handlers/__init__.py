"""The entry points of the Lambda functions.

Each file parses its event, calls one function and maps the result. The garbage collector is off
while a file is imported: it would run more than a hundred times and find nothing, which takes an
eighth of the start-up time.
"""

import gc

gc.disable()


def start_garbage_collection() -> None:
    """Switches the garbage collector on. It never searches the objects that exist by now."""
    gc.freeze()
    gc.enable()
