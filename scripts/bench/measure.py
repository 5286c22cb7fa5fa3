"""One run of a contender over a fleet, behind a proxy with ECS's own quotas, and whether what it
said is true.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from support.proxy import QuotaProxy

from .stage import REPOSITORY, Stage

Contender = Callable[[Stage, QuotaProxy, Mapping[str, str]], dict[str, bool]]
"""Gives each service the image that is named for it; of each, whether the contender said that it
went well.
"""


@dataclass(frozen=True)
class Measured:
    """What a run came to."""

    name: str
    services: int
    changed: int
    """How many services needed another image."""
    seconds: float
    """From the first call to the last UpdateService."""
    calls: int
    """Of ECS, throttled ones included."""
    throttled: int
    failed: int
    """Services that do not run what they should."""
    wrong: int
    """Services of which something else was said."""
    revisions: int


def measure(
    name: str, contender: Contender, stage: Stage, tag: int, changed: int | None = None
) -> Measured:
    """Runs a contender: ``changed`` services, or all, get the image with this tag, the others the
    one that they have.
    """
    before = stage.images()
    names = stage.services[: len(stage.services) if changed is None else changed]
    wanted = before | dict.fromkeys(names, f"{REPOSITORY}:{tag}")
    with QuotaProxy(stage.port).serving() as proxy:
        stage.lead_functions_to(proxy.url)
        said = contender(stage, proxy, wanted)
        begin = min(proxy.first.values())
        end = proxy.last.get("UpdateService", max(proxy.last.values()))
    after = stage.images()
    runs = {service: after[service] == wanted[service] for service in stage.services}
    return Measured(
        name=name,
        services=len(stage.services),
        changed=len(names),
        seconds=end - begin,
        calls=proxy.buckets.calls.total(),
        throttled=proxy.buckets.throttled.total(),
        failed=sum(not one for one in runs.values()),
        wrong=sum(said.get(service) is not runs[service] for service in stage.services),
        revisions=proxy.buckets.calls["RegisterTaskDefinition"]
        - proxy.buckets.throttled["RegisterTaskDefinition"],
    )
