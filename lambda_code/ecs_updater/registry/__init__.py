"""Verifies before any write that an image exists in its registry and fits the task. Reads only.

**An image that cannot run is rejected**: the tag, digest or repository does not exist, the artifact
is not a container image, or it is for another processor or operating system. **An image that cannot
be verified** is rejected with `VERIFY_IMAGE=require`, and logged as a warning with `warn`: the
registry did not answer, or requires credentials. The function sends none to a registry other than
ECR.

The digest of an image with several platforms is that of its index. ECS resolves a tag to it, and
each machine finds its own platform there.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
"""
