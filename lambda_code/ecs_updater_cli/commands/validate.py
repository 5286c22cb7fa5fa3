"""`ecs-updater validate`: reads and checks a file of deployments, without any call of AWS."""

from pathlib import Path
from typing import Any

from ecs_updater.model.request import TARGET

from ..backends.settings import allowing
from ..errors import SUCCEEDED, input_error
from ..manifest.checks import checked, problems_of_event
from ..manifest.entries import ManifestEntry, ServiceIdentity
from ..manifest.reader import MAX_BYTES, read
from ..manifest.values import ManifestError
from ..output.terminal import Printer, number_of

_FILES = ("deployments.yaml", "deployments.yml", "deployments.json")


def validate(file: Path | None, file_option: Path | None) -> int:
    """Prints that a file is valid, and which services would lose all tags.

    Returns the exit code. Raises CommandError.
    """
    file = chosen_file(file, file_option)
    entries = read_entries(file)
    Printer().line(f"{file}: {number_of(len(entries), 'service')}, nothing is wrong")
    if bare := [
        str(ServiceIdentity.of(entry.event))
        for entry in entries
        if entry.event.get("ecs_tag") == {} and entry.event.get("ecs_tag_mode") != "merge"
    ]:
        Printer().note(
            f"an empty ecs_tag removes all tags of {number_of(len(bare), 'service')}, and "
            f"ecs_tag_mode: merge would keep them: {', '.join(bare)}"
        )
    return SUCCEEDED


def chosen_file(*given: Path | None) -> Path:
    """Returns the file of the argument or the option, or the default file that exists.

    Raises CommandError.
    """
    named = [file for file in given if file]
    if len(named) > 1:
        raise input_error("there are two files: name one, as FILE or with --file")
    existing = filter(Path.exists, map(Path, _FILES))
    if file := next(iter(named), None) or next(existing, None):
        return file
    raise input_error(
        f"this folder has no {', '.join(_FILES[:-1])} or {_FILES[-1]}: name the file, for example "
        "ecs-updater deploy services.yaml"
    )


def read_entries(file: Path) -> list[ManifestEntry]:
    """Returns the entries of a valid file. Raises CommandError with a line for each problem."""
    is_input = str(file) == "-"
    name = "standard input" if is_input else str(file)
    try:
        with open(0 if is_input else file, "rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise input_error(
            f"{name}: {error.strerror or error}: name the file of the deployments"
        ) from None
    try:
        return checked(read(content, name), allowing())
    except ManifestError as invalid:
        lines = [problem.in_file(name) for problem in invalid.problems]
        raise input_error(*lines, f"{number_of(len(lines), 'problem')}: nothing was sent") from None


def service_event(cluster: str, service: str, target: str | None) -> dict[str, Any]:
    """Returns the fields of an event that name a service. `target`: None names none."""
    names = {"ecs_cluster_name": cluster, "ecs_service_name": service}
    return names | ({} if target is None else {TARGET: target})


def check_event(event: dict[str, Any]) -> None:
    """Raises CommandError with the problems of an event from a command's arguments."""
    if problems := problems_of_event(event, allowing()):
        raise input_error(
            *(": ".join(filter(None, (problem.path, problem.sentence))) for problem in problems)
        )
