"""Measures one run of a contender within ECS's rate limits, and checks its results."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from support.proxy import QuotaProxy

from .testbed import REPOSITORY, Testbed

Contender = Callable[[Testbed, QuotaProxy, Mapping[str, str]], dict[str, bool]]
"""Deploys an image to each service. Returns per service whether the contender reported success."""


@dataclass(frozen=True)
class Measurement:
    """The figures of one run."""

    name: str
    services: int
    changed: int
    """Updates that needed another image."""
    expected: int
    """Revisions that they need: services that run the same one share the new one."""
    seconds: float
    """From the first call to the last UpdateService."""
    calls: int
    """Calls of ECS, including throttled ones."""
    throttled: int
    failed: int
    """Services that do not run the requested image."""
    wrong: int
    """Services for which the contender reported a wrong result."""
    revisions: int


def measure(  # pylint: disable=too-many-arguments,too-many-positional-arguments
    name: str,
    contender: Contender,
    testbed: Testbed,
    tag: int,
    changed: int | None = None,
    *,
    shares: bool = False,
) -> Measurement:
    """Runs a contender over all services, or over those that share revisions.

    The first `changed` services, or all, get the image with this tag. The others get the image that
    they run.
    """
    services = testbed.sharing if shares else testbed.services
    before = testbed.read_images(services)
    names = services[: len(services) if changed is None else changed]
    images = before | dict.fromkeys(names, f"{REPOSITORY}:{tag}")
    with QuotaProxy(testbed.port).serving() as proxy:
        testbed.set_endpoint(proxy.url)
        reported = contender(testbed, proxy, images)
        first = min(proxy.first.values())
        last = proxy.last.get("UpdateService", max(proxy.last.values()))
    after = testbed.read_images(services)
    updated = {service: after[service] == images[service] for service in services}
    return Measurement(
        name=name,
        services=len(services),
        changed=len(names),
        expected=min(len(names), testbed.families) if shares else len(names),
        seconds=last - first,
        calls=proxy.buckets.calls.total(),
        throttled=proxy.buckets.throttled.total(),
        failed=sum(not is_updated for is_updated in updated.values()),
        wrong=sum(reported.get(service) is not updated[service] for service in services),
        revisions=proxy.buckets.calls["RegisterTaskDefinition"]
        - proxy.buckets.throttled["RegisterTaskDefinition"],
    )
