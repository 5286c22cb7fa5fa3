"""Removes the bucket that bundles are uploaded to."""

from collections.abc import Iterator

from botocore.exceptions import ClientError

from teardown.project import Project, StillThere, Thing, as_mapping, code
from teardown.waiting import persist


def remove_bucket(project: Project) -> None:
    """Empties and deletes it. Names are unique over all accounts, so the account is in its name."""
    name = f"{project.stack_name}-artifacts-{project.account}-{project.region}".lower()
    s3 = project.client("s3")
    ours = {"Bucket": name, "ExpectedBucketOwner": project.account}

    def tags() -> dict[str, str]:
        try:
            return as_mapping(s3.get_bucket_tagging(**ours)["TagSet"])
        except ClientError as error:
            if code(error) == "NoSuchTagSet":
                # Without a tag and without an object it is one that was made a moment before a run
                # was killed.
                return {} if any(versions(s3, ours)) else project.mark
            raise

    def delete() -> None:
        for objects in versions(s3, ours):
            if failures := s3.delete_objects(
                **ours, Delete={"Objects": objects, "Quiet": True}
            ).get("Errors"):
                raise StillThere(
                    "; ".join(
                        f"{one['Key']}: {one.get('Message') or one['Code']}" for one in failures[:3]
                    )
                )
        s3.delete_bucket(**ours)

    # Emptied again when something came in meanwhile.
    project.remove(Thing("bucket", name, tags, lambda: persist(delete)))


def versions(s3, bucket: dict[str, str]) -> Iterator[list[dict[str, str]]]:
    """Yields every version of every object, and every mark of a deletion, in the portions that
    DeleteObjects takes.
    """
    for page in s3.get_paginator("list_object_versions").paginate(**bucket):
        found = page.get("Versions", []) + page.get("DeleteMarkers", [])
        if found:
            yield [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
