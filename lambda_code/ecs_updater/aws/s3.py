"""A seekable file over an object of Amazon S3, which is read by ranges.

A zip file's directory is at its end, so one small file of a large artifact needs two
requests. https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
"""

import io
from collections.abc import Mapping
from typing import Any

from . import clients
from .errors import translated

_RANGE = 128 << 10
"""Minimum bytes of a request. The first one has the end of the object."""

READ_LIMIT = 16 << 20
"""Maximum bytes of all requests, such as for a large directory of a zip file."""


def client_of(credentials: Mapping[str, Any]) -> Any:
    """Returns a client with the `artifactCredentials` of a job.

    Signature version 4 is needed for objects that AWS KMS has encrypted.
    """
    return clients.session().create_client(
        "s3",
        aws_access_key_id=credentials.get("accessKeyId"),
        aws_secret_access_key=credentials.get("secretAccessKey"),
        aws_session_token=credentials.get("sessionToken"),
        config=clients.config(
            3, 10, 4, signature_version="s3v4", response_checksum_validation="when_required"
        ),
    )


class ObjectReader(io.RawIOBase):
    """An open object. Raises AwsFailure, and OSError beyond `READ_LIMIT`."""

    def __init__(self, client: Any, bucket: str, key: str):
        self._client, self._object = client, {"Bucket": bucket, "Key": key}
        self._read_bytes = 0
        self._position = 0
        self._start, self._bytes, self._size = self._get(f"bytes=-{_RANGE}", _RANGE)

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError("a position before the beginning")
        self._position = base + offset
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Returns `size` bytes from the position, fewer only at the end."""
        begin = self._position
        end = self._size if size is None or size < 0 else min(begin + size, self._size)
        if end <= begin:
            return b""
        if not self._start <= begin <= end <= self._start + len(self._bytes):
            last = max(end, begin + _RANGE) - 1
            self._start, self._bytes, _ = self._get(f"bytes={begin}-{last}", last + 1 - begin)
        self._position = end
        return self._bytes[begin - self._start : end - self._start]

    def _get(self, wanted: str, size: int) -> tuple[int, bytes, int]:
        """Returns a range's beginning and bytes, and the size of the object."""
        self._read_bytes += size
        if self._read_bytes > READ_LIMIT:
            raise OSError(f"more than {READ_LIMIT} bytes of it would have to be read")
        with translated("GetObject"):
            answer = clients.call(
                self._client, "GetObject", "Body", "ContentRange", **self._object, Range=wanted
            )
            body: bytes = answer["Body"].read()
        # Such as `bytes 0-99/100`.
        of_range, _, whole = answer["ContentRange"].removeprefix("bytes ").partition("/")
        return int(of_range.partition("-")[0]), body, int(whole)
