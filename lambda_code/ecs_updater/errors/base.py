"""What every error has: a stage, one printable line, details for the log."""

VIOLATION_LIMIT = 300
"""The most characters of one violation of the schema, or of any other text that repeats the
caller's own.
"""

MESSAGE_LIMIT = 2000
"""The most characters of one message: callers show it on one screen, whatever AWS or the event
held.
"""


def one_line(text: str, limit: int = VIOLATION_LIMIT) -> str:
    """``text`` on one line of printable characters, cut in its middle to ``limit`` characters.

    The middle goes because both ends matter: ``'aaaa…aaaa' is too long``.
    """
    if len(text) > limit:
        head = (limit - 1) // 2
        text = text[:head] + "…" + text[len(text) - (limit - 1 - head) :]
    printable = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return printable if len(printable) <= limit else one_line(printable, limit)


class EcsUpdaterError(Exception):
    """Anything this function refuses or fails with."""

    stage = "internal"
    prefix = ""
    """How every message of this class begins, after its stage."""
    hint: str | None = None
    """A sentence that helps, beside the message, which callers compare.

    Not in the message itself.
    """

    def __init__(self, message: str):
        self.details: dict[str, object] = {}
        super().__init__(one_line(f"[ERROR][{self.stage}] {self.prefix}{message}", MESSAGE_LIMIT))

    def also(self, sentence: str, instead_of: str = "") -> "EcsUpdaterError":
        """The same error with another sentence at its end, and without one that is not true any
        more.
        """
        text = str(self).replace(f"; {instead_of}", "") if instead_of else str(self)
        self.args = (one_line(f"{text}; {sentence}", MESSAGE_LIMIT),)
        return self

    def with_hint(self, hint: str) -> "EcsUpdaterError":
        """The same error with a hint."""
        self.hint = one_line(hint)
        return self

    def with_details(self, details: dict[str, object]) -> "EcsUpdaterError":
        """The same error with fields for the log that its message may have to cut."""
        self.details = details
        return self


class CallerFault(EcsUpdaterError):
    """The event, or the service it names, has to change before a retry can succeed."""


class ServerFault(EcsUpdaterError):
    """The function, its role or AWS failed: the same event may succeed later."""
