"""The exit codes, and the sentences that go with them."""

SUCCEEDED, NOT_ALL, INPUT, AWS = 0, 1, 2, 3
"""All is as it was asked for; something is not; the input is wrong; AWS is not to be had."""

DETACHED = 130
"""Ctrl-C, as shells count it."""


class CommandEnd(Exception):
    """The command ends here, with this exit code and these lines on standard error."""

    def __init__(self, code: int, *lines: str):
        self.code, self.lines = code, lines
        super().__init__("; ".join(lines))


class Trouble(CommandEnd):
    """AWS does not do what the command needs."""

    def __init__(self, sentence: str, *, may_pass: bool = False):
        self.may_pass = may_pass
        """Whether the same may go well a moment later."""
        super().__init__(AWS, sentence)


def wrong_input(*lines: str) -> CommandEnd:
    """The end of a command that was asked for something that cannot be."""
    return CommandEnd(INPUT, *lines)
