"""Image definitions in an artifact: which file is read, how much of it, and what it becomes."""

import io
import json
import struct
import zipfile

import pytest

from ecs_updater.codepipeline.artifact import FILE_LIMIT, image_fields, read_file
from ecs_updater.errors import ConfigurationError
from fakes.pipeline import archive

NAME = "imagedefinitions.json"
WEB = [{"name": "web", "imageUri": "repo/web:2"}]
WEB_AND_SIDECAR = [*WEB, {"name": "sidecar", "imageUri": "repo/envoy:3"}]


def read(packed, path=NAME):
    """The content of a file in a zip file."""
    return read_file(io.BytesIO(packed), path)


def refusal(packed, path=NAME):
    """The message of the refused file."""
    with pytest.raises(ConfigurationError) as error:
        read(packed, path)
    return str(error.value)


def fields(content, container=None, path=NAME):
    """The fields of an event from a file's JSON."""
    return image_fields(json.dumps(content).encode(), path, container)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_only_the_named_file_is_read(method):
    packed = archive(("a/other.json", b"x" * 99), (f"a/{NAME}", WEB), method=method)
    assert json.loads(read(packed, f"a/{NAME}")) == WEB
    broken = packed.replace(b"x" * 99, b"y" * 99)  # The other file's checksum is wrong.
    assert json.loads(read(broken, f"a/{NAME}")) == WEB


@pytest.mark.parametrize("path", [f"../{NAME}", f"/{NAME}", f"./{NAME}", NAME.upper(), "", "a"])
def test_a_path_is_compared_as_it_is(path):
    assert f"the artifact has no files {path!r}" in refusal(archive((NAME, WEB), ("a/", b"")), path)


def test_two_files_of_one_name_are_refused():
    with pytest.warns(UserWarning, match="Duplicate name"):
        packed = archive((NAME, WEB), (NAME, WEB_AND_SIDECAR))
    assert "the artifact has 2 files" in refusal(packed)


def test_a_file_may_have_one_megabyte_and_no_more():
    assert len(read(archive((NAME, b" " * FILE_LIMIT)))) == FILE_LIMIT
    assert f"has more than {FILE_LIMIT} bytes" in refusal(archive((NAME, b" " * (FILE_LIMIT + 1))))


def with_directory_size(packed, size):
    """The zip file, with another unpacked size of its only file in the directory."""
    at = packed.index(b"PK\x01\x02") + 24
    return packed[:at] + struct.pack("<L", size) + packed[at + 4 :]


def test_a_bomb_that_claims_to_be_small_is_unpacked_no_further_than_it_claims():
    bomb = archive((NAME, b"\0" * (64 << 20)))
    assert "is not a readable zip file: Bad CRC-32" in refusal(with_directory_size(bomb, 10))


def test_a_file_that_claims_to_be_large_is_refused():
    packed = with_directory_size(archive((NAME, WEB)), FILE_LIMIT + 1)
    assert f"has more than {FILE_LIMIT} bytes" in refusal(packed)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_method_whose_unpacking_has_no_bound_is_refused(method):
    assert "another method than deflate" in refusal(archive((NAME, WEB), method=method))


def encrypted(packed):
    """The zip file, with the flags of an encrypted file."""
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = packed.index(mark) + offset
        packed = packed[:at] + b"\x01" + packed[at + 1 :]
    return packed


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: b"",
        lambda packed: b"{}",
        lambda packed: packed[:-9],
        lambda packed: packed[20:],
        lambda packed: packed.replace(b"PK\x03\x04", b"PK\x03\x05"),
        lambda packed: packed[:44] + bytes(byte ^ 255 for byte in packed[44:70]) + packed[70:],
        encrypted,
    ],
    ids=["empty", "JSON", "cut at the end", "cut at the begin", "header", "content", "encrypted"],
)
def test_an_unreadable_artifact_is_an_error_of_the_configuration(damage):
    assert "is not a readable zip file: " in refusal(damage(archive((NAME, WEB_AND_SIDECAR))))


def test_names_of_image_definitions_are_containers():
    assert fields(WEB) == {"ecs_container_name": "web", "ecs_image_name": "repo/web:2"}
    assert fields(WEB_AND_SIDECAR) == {
        "ecs_container_name": "web",
        "ecs_image_name": "repo/web:2",
        "ecs_container_images": {"sidecar": "repo/envoy:3"},
    }
    assert fields(WEB_AND_SIDECAR, "sidecar") == {
        "ecs_container_name": "sidecar",
        "ecs_image_name": "repo/envoy:3",
        "ecs_container_images": {"web": "repo/web:2"},
    }


def test_the_detail_of_an_image_names_no_container():
    detail = {"ImageURI": "repo/web@sha256:0", "ImageTags": ["2"], "RegistryId": "123456789012"}
    assert fields(detail, "web") == {
        "ecs_container_name": "web",
        "ecs_image_name": detail["ImageURI"],
    }
    assert fields(detail) == {"ecs_image_name": detail["ImageURI"]}


def test_a_byte_order_mark_is_left_out():
    assert image_fields(b"\xef\xbb\xbf" + json.dumps(WEB).encode(), NAME)["ecs_image_name"]


@pytest.mark.parametrize(
    "content",
    [
        *([], {}, [1], [{"name": "web"}], [*WEB, {}], [*WEB, *WEB], {"ImageURI": 1}, "a", None, 1),
        [{"name": 1, "imageUri": "a"}],
        [{"name": "web", "imageUri": None}],
    ],
    ids=repr,
)
def test_a_file_without_valid_image_definitions_is_refused(content):
    with pytest.raises(ConfigurationError, match="has no image definitions: write a list"):
        fields(content)


def test_a_container_that_the_file_does_not_have_is_refused():
    with pytest.raises(ConfigurationError, match="no container 'app', only web, sidecar: correct"):
        fields(WEB_AND_SIDECAR, "app")


@pytest.mark.parametrize("container", [7, {"a": "hush"}, ["web"]], ids=repr)
def test_a_container_that_is_not_a_text_is_refused_and_not_shown(container):
    with pytest.raises(ConfigurationError, match="ecs_container_name must be a text$"):
        fields(WEB, container)


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"{", "is not valid JSON"),
        (b"\xff\xfe", "is not valid JSON"),
        (b'[{"name": "a", "name": "b", "imageUri": "c"}]', "has the key 'name' twice"),
        (b"[" * 100_000, "is not valid JSON"),
        (b"[NaN]", "NaN is not a valid JSON number"),
    ],
    ids=["cut", "UTF-16", "key twice", "nested", "NaN"],
)
def test_a_file_with_invalid_json_is_refused(content, reason):
    with pytest.raises(ConfigurationError, match=reason):
        image_fields(content, NAME)
