"""A real pseudo-terminal with a program in it, and its screen as a person sees it."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyte

PATIENCE = 600.0
"""Seconds after which a test that hangs ends."""

_LEAD = """import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])"""
"""Makes the terminal the program's own, so that Ctrl-C and a resize come to it as signals, also
where the tests run in the background of a shell, which has them ignore Ctrl-C.
"""


class _Screen(pyte.Screen):
    """pyte's screen, with the second one that terminals have and pyte does not."""

    _usual: Any = None

    def set_mode(self, *modes: int, **options: Any) -> None:
        super().set_mode(*modes, **options)
        if 1049 in modes and options.get("private"):
            self._usual = (
                {line: dict(row) for line, row in self.buffer.items()},
                self.cursor.y,
                self.cursor.x,
            )
            self.erase_in_display(2)

    def reset_mode(self, *modes: int, **options: Any) -> None:
        super().reset_mode(*modes, **options)
        if 1049 in modes and options.get("private") and self._usual:
            rows, self.cursor.y, self.cursor.x = self._usual
            self._usual = None
            self.erase_in_display(2)
            for line, row in rows.items():
                self.buffer[line].update(row)


class Terminal:
    """A program that runs in a terminal of this size. Close it, or use it with ``with``."""

    def __init__(
        self, command: Sequence[str], columns: int, lines: int, environment: Mapping[str, str]
    ):
        self._screen = _Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self.received = b""
        self._leader, follower = pty.openpty()
        self._set_size(columns, lines)
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with  # __exit__ waits for it.
            [sys.executable, "-c", _LEAD, *command],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env={**environment, "TERM": "xterm-256color"},
            start_new_session=True,
        )
        os.close(follower)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._leader)

    @property
    def lines(self) -> list[str]:
        """The screen, without what is blank at the ends of lines and of the whole."""
        return self.text.splitlines()

    @property
    def text(self) -> str:
        """The same as one text."""
        lines = [line.rstrip() for line in self._screen.display]
        return "\n".join(lines).rstrip("\n") + "\n"

    def wait_for(self, what: Callable[["Terminal"], bool]) -> None:
        """Reads until the screen is so. Fails with what is on it where that does not come to be."""
        deadline = time.monotonic() + PATIENCE
        while not what(self):
            left = deadline - time.monotonic()
            assert left > 0, f"not to be seen on the screen:\n{self.text}"
            if not self._read(min(left, 0.5)) and self.process.poll() is not None:
                assert what(self), f"the program ended, with this on the screen:\n{self.text}"

    def ends(self) -> int:
        """The exit code, when the program has come to its end by itself."""
        self.wait_for(lambda _: self.process.poll() is not None)
        while self._read(0.05):
            pass
        return self.process.returncode

    def press(self, keys: str) -> None:
        """Types; Ctrl-C is ``\\x03``."""
        os.write(self._leader, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        """As somebody who draws at the window's corner; what a terminal does with what was on it
        differs, so that is lost here.
        """
        self._screen.resize(lines, columns)
        self._screen.erase_in_display(2)
        self._set_size(columns, lines)
        os.killpg(self.process.pid, signal.SIGWINCH)

    def _set_size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._leader, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def _read(self, seconds: float) -> bool:
        readable, _, _ = select.select([self._leader], [], [], seconds)
        if not readable:
            return False
        try:
            content = os.read(self._leader, 65536)
        except OSError:  # Linux's way to say that nobody is there any more.
            return False
        self.received += content
        self._stream.feed(content)
        return bool(content)
