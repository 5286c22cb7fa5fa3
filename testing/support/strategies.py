"""Strategies for hypothesis: events, tags, image references and task definitions, as good and as
bad as they come.

Nothing in here asks the code under test what is right: the rules are written down a second time, in
other words.
"""

import string
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.model import Shape
from hypothesis import settings
from hypothesis import strategies as st

from fakes.wire import CONNECTION_RESET, TIMED_OUT, UNREACHABLE

from .task_definition_shapes import REGISTERED

REPEATABLE = settings(derandomize=True, database=None, deadline=None)
"""The same examples on every machine and in every run.

No deadline: a busy machine's pause is not a defect of the code.
"""

CLUSTER, SERVICE = "ECSCluster", "ecs-dummy-service"
ALPHANUMERIC = string.ascii_letters + string.digits
TAG_PUNCTUATION = "_.:/=+-@"

HOSTILE = (
    "",
    " ",
    "\n",
    "\0",
    "\x1b[31mred\x1b[0m",
    "\u202eright to left",
    "\u2028",
    "\ud800",
    "👩‍👩‍👧",
    "ﬁ",
    "busybox\n",
    "ECSCluster\n",
    "aws:owner",
    "AwS:owner",
    "AWS:",
    "\u212aelvin",
    "../../etc/passwd",
    "$(reboot)",
    "`id`",
    "'; drop table services; --",
    "%s%n{0}{}",
    "[ERROR][ecs_service_read] ",
    "arn:aws:ecs:eu-west-1:123456789012:cluster/",
    "null",
    "{}",
    "x" * 129,
    "x" * 257,
    "é" * 3000,
)
"""Strings that break what was not written with care."""

hostile_text = st.sampled_from(HOSTILE) | st.text(st.characters(), max_size=12)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | hostile_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(hostile_text, inner, max_size=3),
    max_leaves=8,
)
"""Any JSON value at all."""


# Names and tags


def names() -> st.SearchStrategy[str]:
    """Names that ECS takes for a cluster or a service, short ones and the longest."""
    return st.text(ALPHANUMERIC + "_-", min_size=1, max_size=12) | st.just("n" * 255)


def _tag_text(min_size: int, max_size: int) -> st.SearchStrategy[str]:
    characters = st.characters(categories=("L", "Z", "N"), include_characters=TAG_PUNCTUATION)
    longest = st.sampled_from("aé /\N{MATHEMATICAL SCRIPT CAPITAL X}").map(lambda c: c * max_size)
    return st.text(characters, min_size=min_size, max_size=min_size + 8) | longest


tag_keys = _tag_text(1, 128).filter(lambda key: key[:4].casefold() != "aws:")
tag_values = _tag_text(0, 256)
tags = st.dictionaries(tag_keys, tag_values, max_size=5) | st.integers(45, 50).map(
    lambda count: {f"key-{number}": "" for number in range(count)}
)
"""Tags that ECS takes."""

almost_tags = st.dictionaries(
    tag_keys
    | hostile_text
    | st.builds(str.__add__, tag_keys, hostile_text)
    | st.sampled_from(["k" * 128, "k" * 129]),
    tag_values | hostile_text | st.sampled_from(["v" * 256, "v" * 257]) | json_values,
    max_size=3,
) | st.integers(49, 53).map(lambda count: {f"key-{number}": "" for number in range(count)})
"""Tags on both sides of every line that divides those that ECS takes from the others."""


@st.composite
def tags_before_and_after(draw: st.DrawFn) -> tuple[dict[str, str], dict[str, str]]:
    """Two sets of at most 50 tags that overlap by nothing, something or everything, values changed
    in places.
    """

    def window() -> range:
        start = draw(st.integers(0, 50))
        return range(start, start + draw(st.integers(0, 50)))

    changed = draw(st.sets(st.integers(0, 99), max_size=8))
    before = {f"key-{number}": "old" for number in window()}
    after = {f"key-{number}": "" if number in changed else "old" for number in window()}
    return before, after


# Image references


@dataclass(frozen=True)
class Reference:
    """An image reference in its parts, as written."""

    registry: str | None
    path: str
    tag: str | None
    digest: str | None

    @property
    def text(self) -> str:
        """The parts put together."""
        registry = "" if self.registry is None else f"{self.registry}/"
        tag = "" if self.tag is None else f":{self.tag}"
        digest = "" if self.digest is None else f"@{self.digest}"
        return f"{registry}{self.path}{tag}{digest}"


def _words(alphabet: str, separators: tuple[str, ...], max_words: int) -> st.SearchStrategy[str]:
    """Words of ``alphabet``, with one of ``separators`` between two of them."""
    word = st.text(alphabet, min_size=1, max_size=6)
    rest = st.lists(
        st.tuples(st.sampled_from(separators), word).map("".join), max_size=max_words - 1
    )
    return st.tuples(word, rest.map("".join)).map("".join)


_LABEL = _words(ALPHANUMERIC, ("-", "--"), 2)
_DOTTED_HOST = st.lists(_LABEL, min_size=2, max_size=4).map(".".join)
_PORT = st.integers(0, 65535).map(lambda port: f":{port}")
_REGISTRIES = st.one_of(
    st.sampled_from(
        [
            "docker.io",
            "index.docker.io",
            "localhost",
            "localhost:5000",
            "[::1]",
            "[2001:db8::1]:5000",
            "REGISTRY",
        ]
    ),
    st.just("123456789012.dkr.ecr.eu-west-1.amazonaws.com"),
    _DOTTED_HOST,
    st.tuples(_DOTTED_HOST | _LABEL, _PORT).map("".join),
)
_COMPONENT = _words(string.ascii_lowercase + string.digits, (".", "_", "__", "-", "---"), 3)
_PATHS = st.lists(_COMPONENT, min_size=1, max_size=4).map("/".join) | st.just("p" * 255)
_TAGS = st.one_of(
    st.sampled_from(["latest", "_", "A", "1.0.0-rc.1_x", "t" * 128]),
    st.tuples(st.sampled_from(ALPHANUMERIC + "_"), st.text(ALPHANUMERIC + "_.-", max_size=10)).map(
        "".join
    ),
)
_HEX = st.integers(0, 2**512 - 1).map(lambda number: f"{number:0128x}")
_DIGESTS = st.one_of(
    _HEX.map(lambda digits: f"sha256:{digits[:64]}"),
    _HEX.map(lambda digits: f"sha512:{digits}"),
    _HEX.map(lambda digits: f"multihash+base58:{digits[:46]}"),
)


def _has_no_host(path: str) -> bool:
    first, slash, _ = path.partition("/")
    return not slash or ("." not in first and first != "localhost")


references = st.builds(
    Reference, st.none() | _REGISTRIES, _PATHS, st.none() | _TAGS, st.none() | _DIGESTS
).filter(lambda reference: reference.registry is not None or _has_no_host(reference.path))
"""Every form of a reference: with and without registry, port, tag and digest."""

reference_texts = references.map(lambda reference: reference.text)


@st.composite
def mutated(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    """One of ``texts`` with a piece cut out, put in twice or replaced."""
    text = draw(texts)
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 8)))
    piece = draw(
        st.sampled_from(["", ":", "@", "/", ".", "-", "_", "A", text[start:end] * 2]) | hostile_text
    )
    return text[:start] + piece + text[end:]


# Events


def _clusters() -> st.SearchStrategy[str]:
    return st.sampled_from([CLUSTER, f"arn:aws:ecs:eu-west-1:123456789012:cluster/{CLUSTER}"])


def _services() -> st.SearchStrategy[str]:
    return st.sampled_from(
        [SERVICE, f"arn:aws:ecs:eu-west-1:123456789012:service/{CLUSTER}/{SERVICE}"]
    )


_IMAGES = reference_texts | st.sampled_from(["busybox", "busybox:1.36", "envoy:2"])

valid_events = st.fixed_dictionaries(
    {
        "ecs_cluster_name": _clusters(),
        "ecs_service_name": _services(),
        "ecs_image_name": _IMAGES,
        "ecs_tag": tags,
    },
    optional={
        "action": st.just("update"),
        "ecs_container_name": st.sampled_from(["app", "sidecar"]),
        "ecs_container_images": st.dictionaries(
            st.sampled_from(["app", "sidecar"]), _IMAGES, max_size=2
        ),
        "ecs_tag_mode": st.sampled_from(["replace", "merge"]),
        "force_new_deployment": st.booleans(),
        "dry_run": st.booleans(),
    },
)
"""Events that fit the schema, for a service whose containers are called ``app`` and ``sidecar``."""


@st.composite
def _almost_arns(draw: st.DrawFn, resources: tuple[str, ...]) -> str:
    right = [
        "arn",
        draw(st.sampled_from(["aws", "aws-us-gov", "aws-cn"])),
        "ecs",
        "eu-west-1",
        "123456789012",
    ]
    wrong = ["ARN", "azure", "ec2", "EU", "12345678901\N{FULLWIDTH DIGIT TWO}"]
    if draw(st.booleans()):
        part = draw(st.integers(0, 4))
        right[part] = draw(st.sampled_from([wrong[part], "", right[part] + "\n"]))
    name = draw(
        st.sampled_from(["ECSCluster", "other", "ECSCluster\n", "a/b", "", "n" * 255, "n" * 256])
        | names()
    )
    return ":".join([*right, draw(st.sampled_from(resources)) + name])


_ALMOST_A_NAME = (
    names()
    | mutated(names())
    | hostile_text
    | st.sampled_from(["n" * 256, CLUSTER, f"{CLUSTER}\n"])
)
almost_clusters = _ALMOST_A_NAME | _almost_arns(("cluster/", "cluster/", "service/", ""))
"""Names and ARNs of clusters, many of them not quite."""
almost_services = _ALMOST_A_NAME | _almost_arns(
    ("service/", f"service/{CLUSTER}/", "service/other/", "service//", "cluster/")
)
"""Names and ARNs of services, many of them not quite."""
clusters_and_services = st.one_of(
    st.tuples(almost_clusters, almost_services),
    st.tuples(_clusters(), almost_services),
    st.tuples(almost_clusters, _services()),
)
"""Both, often one of them right, and in places of clusters that differ."""


@st.composite
def _mutated_event(draw: st.DrawFn) -> Any:
    event = dict(draw(valid_events))
    for _ in range(draw(st.integers(1, 2))):
        name = draw(
            st.sampled_from(
                [
                    *event,
                    "wait_seconds",
                    "rollback_on_failure",
                    "request_id",
                    "ecs_tags",
                    "__proto__",
                ]
            )
        )
        match draw(
            st.sampled_from(
                [
                    "drop",
                    "any value",
                    "hostile text",
                    "mutated text",
                    "other name",
                    "almost",
                    "further",
                ]
            )
        ):
            case "drop":
                event.pop(name, None)
            case "any value":
                event[name] = draw(json_values)
            case "hostile text":
                event[name] = draw(hostile_text)
            case "mutated text":
                event[name] = draw(mutated(st.just(str(event.get(name)))))
            case "other name":
                event[draw(hostile_text)] = event.pop(name, None)
            case "almost":
                event["ecs_tag"] = draw(almost_tags)
                names_of_containers = [
                    draw(hostile_text | st.just("app")),
                    *"abcdefghijk"[: draw(st.sampled_from([0, 9, 10]))],
                ]
                event["ecs_container_images"] = dict.fromkeys(names_of_containers, draw(_IMAGES))
            case "further":
                further = [
                    {"wait_seconds": 5},
                    {"rollback_on_failure": True},
                    {"request_id": "r"},
                    {"action": "rollback"},
                ]
                event |= draw(st.sampled_from(further))
    return draw(st.sampled_from([event, event, event, event, [event], str(event)]))


events = valid_events | _mutated_event() | json_values
"""Any JSON value, most of them close to an event, or one."""


# What AWS may answer

NO_CONTENT = (200, "", "")
"""An answer that says that all is well and holds nothing of what was asked for: a proxy's, or one
that was cut off.
"""

REFUSALS = ("ThrottlingException", "AccessDeniedException")
"""Codes that say that nothing was done, with any status."""

faults = st.tuples(
    st.sampled_from([400, 400, 403, 413, 429, 500, 503]),
    st.sampled_from(
        ["ClientException", "ServerException", "ClusterNotFoundException", "", *REFUSALS]
    ),
    st.none() | st.sampled_from(["Rate exceeded", "no\nentry", ""]) | hostile_text,
) | st.sampled_from([NO_CONTENT, TIMED_OUT, CONNECTION_RESET, UNREACHABLE])
"""Anything but the answer that a call is made for."""


@st.composite
def failures(draw: st.DrawFn) -> list[tuple[str, Any, bool]]:
    """Up to three calls that fail: the operation, how it fails (None: it does not), and whether it
    had its effect all the same.
    """
    operations = [
        "DescribeServices",
        "DescribeTaskDefinition",
        "RegisterTaskDefinition",
        "TagResource",
        "UntagResource",
    ]
    drawn = []
    for _ in range(draw(st.integers(1, 3))):
        fault = draw(faults)
        may_be_done = fault in (TIMED_OUT, CONNECTION_RESET) or (
            isinstance(fault, tuple) and fault[0] >= 500
        )
        may_be_done = may_be_done and not (isinstance(fault, tuple) and fault[1] in REFUSALS)
        # UpdateService and RegisterTaskDefinition are where a lost answer matters most.
        operation = draw(
            st.sampled_from(
                [*operations, "RegisterTaskDefinition", "UpdateService", "UpdateService"]
            )
        )
        if draw(st.booleans()):
            # It fails the second time, when a write is looked for or taken back.
            drawn.append((operation, None, False))
        drawn.append(
            (operation, fault, fault is NO_CONTENT or (may_be_done and draw(st.booleans())))
        )
    return drawn


# Task definitions


class _Future(str):
    """The name of a field that botocore's model does not have."""


def known(value: Any) -> Any:
    """A drawn task definition without the fields of the future."""
    match value:
        case dict():
            return {
                name: known(member)
                for name, member in value.items()
                if not isinstance(name, _Future)
            }
        case list():
            return [known(member) for member in value]
    return value


def future_fields(value: Any, path: str = "") -> Iterator[str]:
    """Yields where a drawn task definition has those fields."""
    is_list = isinstance(value, list)
    members = enumerate(value) if is_list else value.items() if isinstance(value, dict) else ()
    for key, member in members:
        place = f"{path}[{key}]" if is_list else f"{path}.{key}" if path else key
        if isinstance(key, _Future):
            yield place
        else:
            yield from future_fields(member, place)


@st.composite
def _structures(draw: st.DrawFn, shape: Shape, members: list[str]) -> dict[str, Any]:
    """A structure with these members, and perhaps one of the future."""
    value = {name: draw(_values(shape.members[name])) for name in members}
    if not shape.is_tagged_union and draw(st.integers(0, 4)) == 0:
        name = _Future(f"future{draw(st.text(ALPHANUMERIC, max_size=3))}")
        value[name] = draw(json_values)
    return value


def _some(choices: Collection[str], least: int = 0, most: int | None = None) -> Any:
    """Lists of some of the choices."""
    name = st.sampled_from(sorted(choices)) if choices else st.nothing()
    longest = len(choices) if most is None else min(most, len(choices))
    return st.lists(name, min_size=least, max_size=longest, unique=True)


def _values(shape: Shape) -> st.SearchStrategy[Any]:
    """The values of a shape of botocore's."""
    least, most = (shape.metadata.get(bound) for bound in ("min", "max"))
    match shape.type_name:
        case "structure" if shape.is_tagged_union:
            return _some(shape.members, 1, 1).flatmap(lambda members: _structures(shape, members))
        case "structure":
            required = shape.required_members
            return _some(shape.members.keys() - set(required), most=4).flatmap(
                lambda members: _structures(shape, [*required, *members])
            )
        case "list":
            return st.lists(_values(shape.member), max_size=2)
        case "map":
            return st.dictionaries(_values(shape.key), _values(shape.value), max_size=2)
        case "boolean":
            return st.booleans()
        case "integer" | "long":
            limit = 2**31 if shape.type_name == "integer" else 2**63
            return st.integers(
                -limit if least is None else least, limit - 1 if most is None else most
            )
        case "float" | "double":
            return st.floats(allow_nan=False, allow_infinity=False)
        case "string" if shape.enum:
            return st.sampled_from([*shape.enum, "VALUE_OF_THE_FUTURE"])
        case "string":
            shortest = least or 0
            longest = min(most or 2**31, shortest + 8)
            return st.text(st.characters(), min_size=shortest, max_size=longest)
    raise NotImplementedError(
        f"ECS's model has a {shape.type_name} in a task definition now: say how it is made"
    )


@st.composite
def task_definitions(draw: st.DrawFn) -> dict[str, Any]:
    """Any task definition that ECS's model allows, of one to three containers with names of their
    own, as ECS may come to describe it, its read-only fields apart.
    """
    shape = REGISTERED.members["containerDefinitions"].member
    names_of_containers = draw(
        st.lists(st.text(min_size=1, max_size=10), min_size=1, max_size=3, unique=True)
    )
    containers = []
    for name in names_of_containers:
        members = draw(_some(shape.members.keys() - {"name", "image"}, most=5))
        given = {"name": name, "image": draw(_IMAGES | hostile_text)}
        containers.append(given | draw(_structures(shape, members)))
    members = draw(_some(REGISTERED.members.keys() - {"family", "containerDefinitions", "tags"}))
    family = {"family": draw(st.text(min_size=1, max_size=10))}
    body = draw(_structures(REGISTERED, members))
    return family | body | {"containerDefinitions": containers}


# Settings of a revision

SETTINGS_NAMES = ("A", "B", "DB_PASSWORD", "a.b")
_ARN = "arn:aws:ssm:eu-west-1:123456789012:parameter/"
_SETTING_TEXTS = st.sampled_from(["", "1"]) | st.text(max_size=4)
NAMED = {
    "environment": ("value", _SETTING_TEXTS),
    "secrets": ("valueFrom", st.sampled_from([f"{_ARN}a", f"{_ARN}b/c"])),
}
"""Lists of named values of a container: the field of the value, and values."""


@st.composite
def container_settings(draw: st.DrawFn) -> dict[str, Any]:
    """Settings of a container, in which no name is both a variable and a secret."""
    names_of_settings = draw(st.permutations(SETTINGS_NAMES))
    at = draw(st.integers(0, len(names_of_settings)))
    split = {"environment": names_of_settings[:at], "secrets": names_of_settings[at:]}
    fields = {
        f"ecs_{kind}": {name: draw(st.none() | values) for name in split[kind]}
        for kind, (_, values) in NAMED.items()
    } | {
        "ecs_command": draw(st.lists(_SETTING_TEXTS, max_size=2)),
        "ecs_cpu": draw(st.integers(0, 2)),
        "ecs_memory": draw(st.integers(6, 8)),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(fields)), min_size=1))
    return {name: value for name, value in fields.items() if name in chosen}


@st.composite
def with_named_values(draw: st.DrawFn, task_definition: dict[str, Any]) -> dict[str, Any]:
    """A task definition whose containers have some of the names that settings have."""
    containers = []
    for container in task_definition["containerDefinitions"]:
        named = {}
        for kind, (key, values) in NAMED.items():
            names_of_settings = draw(st.lists(st.sampled_from(SETTINGS_NAMES), max_size=3))
            pairs = [
                {"name": name, key: draw(values), **draw(st.sampled_from([{}, {"newer": [{}]}]))}
                for name in names_of_settings
            ]
            named[kind] = [*container.get(kind, []), *pairs]
        is_named = draw(st.booleans())
        containers.append({**container, **named} if is_named else container)
    return {**task_definition, "containerDefinitions": containers}


task_definition_tags = st.lists(
    st.fixed_dictionaries(
        {
            "key": tag_keys | st.sampled_from(["aws:cloudformation:stack-name", "AWS:x"]),
            "value": tag_values,
        }
    ),
    max_size=3,
    unique_by=lambda tag: tag["key"],
)
"""Tags of a task definition, those that only AWS may set among them."""
