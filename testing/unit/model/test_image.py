"""Image references: every form parses and comes back unchanged, every broken one is refused in
ECS's terms.
"""

import pytest

from ecs_updater.errors import InvalidImageError
from ecs_updater.model.image import EMPTY_REPOSITORY, ImageReference

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "text",
    ["", ":latest", "@" + DIGEST, ":1@" + DIGEST, "host:5000/", "localhost/", "host:5000/:tag"],
)
def test_an_empty_repository_is_refused_with_ecs_own_words(text):
    with pytest.raises(InvalidImageError) as refused:
        ImageReference.parse(text)
    assert str(refused.value) == (
        f"[ERROR][ecs_service_update] new task_definition could not be created {EMPTY_REPOSITORY}"
    )


def test_ecs_own_words_for_an_empty_repository_are_the_contracts():
    assert EMPTY_REPOSITORY == "Container.image repository should not be null or empty."


@pytest.mark.parametrize(
    "text, what",
    [
        ("busybox:", "the tag ''"),
        ("busybox:.1", "the tag '.1'"),
        ("busybox:-1", "the tag '-1'"),
        ("busybox:1 ", "the tag '1 '"),
        ("busybox:1\n", "the tag '1"),
        ("busybox:ä", "the tag 'ä'"),
        ("busybox:" + "t" * 129, "the tag 'ttt"),
        ("busybox:1:2", "the repository 'busybox:1'"),
        ("busybox\n", "the repository 'busybox"),
        ("Busybox", "the repository 'Busybox'"),
        ("busy box", "the repository 'busy box'"),
        (" busybox", "the repository ' busybox'"),
        ("/busybox", "the repository '/busybox'"),
        ("team//app", "the repository 'team//app'"),
        ("team/app/", "the repository 'team/app/'"),
        ("team/-app", "the repository 'team/-app'"),
        ("a___b", "the repository 'a___b'"),
        ("a..b", "the repository 'a..b'"),
        ("../../etc/passwd", "the registry '..'"),
        ("https://host/app", "the registry 'https:'"),
        ("$(id)", "the repository '$(id)'"),
        ("busybox;id", "the repository 'busybox;id'"),
        ("host:port/app", "the registry 'host:port'"),
        ("-host.com/app", "the registry '-host.com'"),
        ("my_host.com/app", "the registry 'my_host.com'"),
        ("٣.com/app", "the registry '٣.com'"),
        ("busyböx", "the repository 'busyböx'"),
        ("busybox\ud800", "the repository 'busybox"),
        ("busybox\x00", "the repository 'busybox"),
        ("a" * 256, "the repository 'aaa"),
        ("busybox@", "the digest ''"),
        ("busybox@sha256", "the digest 'sha256'"),
        ("busybox@sha256:abc", "the digest 'sha256:abc'"),
        ("busybox@sha256:" + "A" * 64, "the digest 'sha256:AAA"),
        ("busybox@sha256:" + "a" * 63, "the digest 'sha256:aaa"),
        ("busybox@sha256:" + "a" * 65, "the digest 'sha256:aaa"),
        (f"busybox@{DIGEST}\n", "the digest 'sha256:"),
        (f"busybox@{DIGEST}@{DIGEST}", "the digest 'sha256:"),
    ],
)
def test_a_broken_reference_is_refused_and_the_broken_part_named(text, what):
    with pytest.raises(InvalidImageError) as refused:
        ImageReference.parse(text)
    if len(text) < 60:  # Of a longer one the middle of the message is cut.
        assert what in refused.value.reason
    assert str(refused.value).startswith(
        "[ERROR][ecs_service_update] new task_definition could not be created image "
    )
    assert str(refused.value).isprintable()
