"""Image definitions in an artifact of a pipeline, which is a zip file. Pure.

Two files are known: `imagedefinitions.json` has a list of containers with their images,
`imageDetail.json` of the ECR source action has one image.
https://docs.aws.amazon.com/codepipeline/latest/userguide/file-reference.html
"""

import struct
import zlib
from collections.abc import Mapping
from io import RawIOBase
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from ..errors import ConfigurationError, InvalidEventError
from ..model.event_parser import parse_json

FILE_LIMIT = 1 << 20
"""Maximum bytes of the file, unpacked."""

_UNREADABLE = (
    BadZipFile,
    EOFError,
    OSError,
    OverflowError,
    RuntimeError,  # An encrypted file, or a feature that zipfile does not support.
    ValueError,
    struct.error,
    zlib.error,
)


def read_file(archive: IO[bytes] | RawIOBase, path: str) -> bytes:
    """Returns the content of one file of a zip file. No other file is read.

    Raises ConfigurationError. The sizes in the directory are not trusted: at most `FILE_LIMIT`
    bytes are unpacked.
    """
    try:
        with ZipFile(archive) as files:
            found = [info for info in files.infolist() if info.filename == path]
            if len(found) != 1:
                raise ConfigurationError(
                    f"the artifact has {len(found) or 'no'} files {path!r}: correct `file`, "
                    "or the artifacts of the build"
                )
            # Only these two decompressors can be stopped after a number of bytes.
            if found[0].compress_type not in (ZIP_STORED, ZIP_DEFLATED):
                raise BadZipFile("compressed by another method than deflate")
            with files.open(found[0]) as file:
                content = file.read(FILE_LIMIT + 1)
                if max(len(content), found[0].file_size) > FILE_LIMIT:
                    raise ConfigurationError(
                        f"the artifact's file {path!r} has more than {FILE_LIMIT} bytes: name a "
                        "file with image definitions"
                    )
                return content
    except _UNREADABLE as error:
        raise ConfigurationError(
            f"the artifact with {path!r} is not a readable zip file: {error}"
        ) from None


def image_fields(content: bytes, path: str, container: Any = None) -> dict[str, Any]:
    """Returns the fields of an event that has the images of a file.

    `container`: the event's `ecs_container_name`, which gets `ecs_image_name` if several containers
    are in the file; by default the first one. Raises ConfigurationError.
    """
    if not isinstance(container, str | None):
        raise ConfigurationError("UserParameters: ecs_container_name must be a text")
    try:
        definitions = parse_json(content.decode("utf-8-sig"), f"the artifact's file {path!r}")
    except InvalidEventError as error:
        raise ConfigurationError(error.violation) from None
    except (RecursionError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"the artifact's file {path!r} is not valid JSON: {error}"
        ) from None
    if isinstance(definitions, dict) and isinstance(definitions.get("ImageURI"), str):
        named = {} if container is None else {"ecs_container_name": container}
        return {**named, "ecs_image_name": definitions["ImageURI"]}
    images = _images(definitions)
    if not images:
        raise ConfigurationError(
            f"the artifact's file {path!r} has no image definitions: write a list of objects with "
            "`name` and `imageUri`, or an object with `ImageURI`"
        )
    first = next(iter(images)) if container is None else container
    if first not in images:
        raise ConfigurationError(
            f"the artifact's file {path!r} has no container {container!r}, only "
            f"{', '.join(images)}: correct ecs_container_name"
        )
    others = {name: image for name, image in images.items() if name != first}
    return {
        "ecs_container_name": first,
        "ecs_image_name": images[first],
        **({"ecs_container_images": others} if others else {}),
    }


def _images(definitions: Any) -> Mapping[str, str]:
    """Returns the images by container. Empty: it is not a valid list of image definitions."""
    listed = definitions if isinstance(definitions, list) else []
    images = {
        entry["name"]: entry["imageUri"]
        for entry in listed
        if isinstance(entry, dict)
        and isinstance(entry.get("name"), str)
        and isinstance(entry.get("imageUri"), str)
    }
    # An invalid entry, or two of one container, must not be left out silently.
    return images if len(images) == len(listed) else {}
