"""Identifiers as ECS makes them, from a seed: the same in every run."""

import random
import string


class Ids:
    """Makes identifiers.

    Of a deployment and of a service revision they look alike, and nothing says that they are
    related.
    """

    def __init__(self, seed: int = 0):
        self._random = random.Random(seed)

    def deployment(self) -> str:
        """``ecs-svc/`` and nineteen digits."""
        return f"ecs-svc/{self.revision()}"

    def revision(self) -> str:
        """Nineteen digits: a service revision."""
        return str(self._random.randrange(10**18, 9 * 10**18))

    def service_deployment(self) -> str:
        """Twenty-one characters, such as ``NCWGC2ZR-taawPAYrIaU5``."""
        return "".join(self._random.choices(f"{string.ascii_letters}{string.digits}-_", k=21))

    def hook(self, target_type: str) -> str:
        """``ecs-pause-`` or ``ecs-lambda-``, and forty-three characters."""
        characters = self._random.choices(f"{string.ascii_letters}{string.digits}-_", k=43)
        return f"ecs-{target_type.rpartition('_')[2].lower()}-{''.join(characters)}"

    def task(self) -> str:
        """Thirty-two hexadecimal digits."""
        return f"{self._random.getrandbits(128):032x}"
