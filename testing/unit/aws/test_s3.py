"""An object of Amazon S3 as a file: its requests on the wire, and its limits."""

import io
import json
import random
import re

import boto3
import moto
import pytest

from ecs_updater.aws import s3
from ecs_updater.aws.s3 import ObjectReader
from ecs_updater.codepipeline.artifact import read_file
from ecs_updater.errors import AwsFailure, Outcome
from fakes.pipeline import BUCKET, CREDENTIALS, KEY, Artifacts, archive
from fakes.wire import REGION

NAME = "imagedefinitions.json"


def noise(size):
    """Bytes that cannot be compressed."""
    return random.Random(1).randbytes(size)


def test_one_file_of_a_large_artifact_takes_two_requests():
    files = [(f"src/{number}.bin", noise(1 << 20)) for number in range(5)]
    store = Artifacts(archive(*files[:2], (NAME, []), *files[2:]))
    assert json.loads(read_file(ObjectReader(store, BUCKET, KEY), NAME)) == []
    assert len(store.ranges) == 2 and len(store.content) > 5 << 20


def test_a_small_artifact_takes_one_request():
    store = Artifacts(archive((NAME, [])))
    assert json.loads(read_file(ObjectReader(store, BUCKET, KEY), NAME)) == []
    assert store.ranges == ["bytes=-131072"]


def test_a_file_over_several_ranges_is_whole():
    content = noise(1 << 20)
    store = Artifacts(archive(("a", noise(1 << 20)), (NAME, content), ("z", noise(1 << 20))))
    assert read_file(ObjectReader(store, BUCKET, KEY), NAME) == content


def test_reading_is_like_reading_a_file():
    content = noise(400_000)
    reader, file = ObjectReader(Artifacts(content), BUCKET, KEY), io.BytesIO(content)
    for offset, whence, size in [(0, 0, 9), (0, 1, 200_000), (-5, 2, 9), (7, 0, -1), (0, 2, 1)]:
        assert reader.seek(offset, whence) == file.seek(offset, whence)
        assert reader.read(size) == file.read(size)
        assert reader.tell() == file.tell()
    with pytest.raises(OSError, match="before the beginning"):
        reader.seek(-1)


def test_a_directory_that_is_too_large_is_not_read():
    store = Artifacts(b"\0" * (40 << 20))
    reader = ObjectReader(store, BUCKET, KEY)
    with pytest.raises(OSError, match="more than 16777216 bytes of it would have to be read"):
        reader.read(20 << 20)
    assert len(store.ranges) == 1


@pytest.fixture(name="bucket")
def _bucket(monkeypatch):
    """A bucket of moto with one artifact, and the headers of each request for it."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "of-the-function")
    s3.clients.session.cache_clear()
    with moto.mock_aws():
        client = boto3.client("s3", region_name=REGION)
        client.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        client.put_object(Bucket=BUCKET, Key=KEY, Body=archive((NAME, [])))
        yield
    s3.clients.session.cache_clear()


@pytest.mark.usefixtures("bucket")
def test_the_object_is_read_with_the_jobs_credentials_and_signature_version_4():
    client, sent = s3.client_of(CREDENTIALS), []
    client.meta.events.register("before-send.s3", lambda request, **_: sent.append(request.headers))
    assert json.loads(read_file(ObjectReader(client, BUCKET, KEY), NAME)) == []
    assert len(sent) == 1
    headers = sent[0]
    assert re.match(
        rb"AWS4-HMAC-SHA256 Credential=SENTINEL-KEY-ID/\d+/eu-west-1/s3/aws4_request",
        headers["Authorization"],
    )
    assert headers["X-Amz-Security-Token"] == b"SENTINEL-TOKEN"


@pytest.mark.usefixtures("bucket")
def test_a_missing_object_is_a_failure_without_credentials():
    with pytest.raises(AwsFailure) as failure:
        ObjectReader(s3.client_of(CREDENTIALS), BUCKET, "another")
    assert (failure.value.code, failure.value.outcome) == ("NoSuchKey", Outcome.REFUSED)
    assert "SENTINEL" not in repr(failure.value)
