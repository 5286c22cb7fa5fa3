"""Looks whether an image is in its registry and fits the task, before anything is written. Reads
only.

**What is known to be wrong is refused**, whatever the mode: a tag, digest or repository that is not
there, something by that name that is no container image, an image for another processor or
operating system. **What could not be found out** is refused with ``VERIFY_IMAGE=require`` and a
warning with ``warn``: the registry gave no answer, or shows the image to nobody without credentials
(a private registry other than ECR: this function has no credentials for it and sends none).

The digest is the one that the tag stands for: of the index when the image has several platforms.
That is what ECS resolves a tag to, and what a pull by digest needs so that each machine finds its
own platform in it.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
"""
