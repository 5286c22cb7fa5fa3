"""Image references: every form parses and comes back unchanged, every broken one is refused in
ECS's terms.
"""

import pytest

from ecs_updater.errors import InvalidImageError
from ecs_updater.model.image import EMPTY_REPOSITORY, ImageReference

DIGEST = "sha256:" + "0123456789abcdef" * 4
ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    "text, repository, tag, digest",
    [
        ("busybox", "docker.io/library/busybox", None, None),
        ("busybox:1.36", "docker.io/library/busybox", "1.36", None),
        ("busybox:_x.Y-Z", "docker.io/library/busybox", "_x.Y-Z", None),
        ("busybox:" + "t" * 128, "docker.io/library/busybox", "t" * 128, None),
        (f"busybox@{DIGEST}", "docker.io/library/busybox", None, DIGEST),
        (f"busybox:1@{DIGEST}", "docker.io/library/busybox", "1", DIGEST),
        ("docker.io/busybox", "docker.io/library/busybox", None, None),
        ("docker.io/library/busybox", "docker.io/library/busybox", None, None),
        ("index.docker.io/busybox", "docker.io/library/busybox", None, None),
        ("team/app", "docker.io/team/app", None, None),
        ("localhost/app", "localhost/app", None, None),
        ("localhost:5000/app:1", "localhost:5000/app", "1", None),
        ("host:5000/team/app", "host:5000/team/app", None, None),
        ("[::1]:5000/app:1", "[::1]:5000/app", "1", None),
        ("Registry/app", "registry/app", None, None),
        (f"{ECR}/team/a_b__c--d.e:v1@{DIGEST}", f"{ECR}/team/a_b__c--d.e", "v1", DIGEST),
        ("app@sha512:" + "a" * 128, "docker.io/library/app", None, "sha512:" + "a" * 128),
        ("app@other+x:" + "b" * 32, "docker.io/library/app", None, "other+x:" + "b" * 32),
        ("a" * 255, "docker.io/library/" + "a" * 255, None, None),
    ],
)
def test_every_form_of_a_reference_parses_and_comes_back_as_it_was(text, repository, tag, digest):
    image = ImageReference.parse(text)
    assert (image.repository, image.tag, image.digest, str(image)) == (
        repository,
        tag,
        digest,
        text,
    )


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


def test_the_message_about_a_long_reference_stays_short():
    with pytest.raises(InvalidImageError) as refused:
        ImageReference.parse("x" * 5_000_000)
    assert "of 5000000 characters" in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    "one, other, same",
    [
        ("busybox:1", "docker.io/library/busybox:2", True),
        ("busybox", "index.docker.io/library/busybox", True),
        ("Docker.io/busybox", "busybox", True),
        ("HOST.com/app", "host.com/app:1", True),
        ("host/app", "host:443/app", False),
        ("busybox", "team/busybox", False),
        ("busybox", "localhost/busybox", False),
    ],
)
def test_two_references_name_the_same_repository_whatever_their_spelling(one, other, same):
    assert (ImageReference.parse(one).repository == ImageReference.parse(other).repository) is same
