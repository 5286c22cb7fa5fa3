"""A parameter of Parameter Store that has a part of the function's configuration.

https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from botocore.session import Session

from ..context import REAL_TIME, Clock
from ..errors import AwsFailure, ConfigurationError
from . import clients

Content = TypeVar("Content")

_CONFIG = clients.config(2, 5, 3)


class Parameter(Generic[Content]):
    """A parameter and its parsed content, for any number of threads. Create it at module scope.

    It is read when its content is needed, and again after some time. A content that cannot be read
    or parsed again is never replaced by the earlier one.
    """

    def __init__(
        self,
        name: str,
        setting: str,
        parse: Callable[[str], Content],
        *,
        clock: Clock = REAL_TIME,
        session: Callable[[], Session] = clients.session,
    ):
        """`setting`: the function's variable that has the name. `parse` makes the content of the
        text, and raises ConfigurationError.
        """
        self.name = name
        self._setting, self._parse = setting, parse
        self._clock, self._session = clock, session
        self._content: tuple[float, Content] | None = None
        """Time of the read, and what was read."""
        self._lock = threading.Lock()

    def content(self, most_seconds: float) -> Content:
        """Returns the content, read at most `most_seconds` ago. Raises ConfigurationError."""
        with self._lock:
            now = self._clock.now()
            if self._content is None or now >= self._content[0] + most_seconds:
                self._content = now, self._parse(self._read())
            return self._content[1]

    def _read(self) -> str:
        """Returns the text. Raises ConfigurationError."""
        client = self._session().create_client("ssm", config=_CONFIG)
        try:
            answer = clients.call(
                client, "GetParameter", "Parameter", Name=self.name, WithDecryption=True
            )
        except AwsFailure as failure:
            raise ConfigurationError(
                f"the parameter {self.name} of the function's {self._setting} could not be "
                f"read: {failure}: create it in the function's account and region, and allow the "
                "function's role ssm:GetParameter"
            ).caused_by(failure) from None
        text: str = answer["Parameter"]["Value"]
        return text
