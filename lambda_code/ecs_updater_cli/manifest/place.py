"""Where in a file something stands, and what is wrong there."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Position:
    """A character of a file: line and column, both from 1, a tab being one column."""

    line: int
    column: int


@dataclass(frozen=True)
class Problem:
    """Something that has to be put right before anything is sent."""

    place: Position | None
    """None for what stands in no file, such as an argument."""
    path: str
    """Which value it is, ``deployments[3].ecs_image_name``; empty for the file as a whole."""
    sentence: str

    def told(self, file: str) -> str:
        """As a line that editors can follow."""
        where = f"{file}:{self.place.line}:{self.place.column}" if self.place else file
        return ": ".join(part for part in (where, self.path, self.sentence) if part)


class ManifestError(ValueError):
    """The file cannot be used as it is."""

    def __init__(self, problems: Sequence[Problem]):
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.sentence for problem in problems))


def wrong(place: Position, sentence: str) -> ManifestError:
    """The error of a file in which this alone is wrong."""
    return ManifestError([Problem(place, "", sentence)])
