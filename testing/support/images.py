"""The verification of one image."""

from ecs_updater.registry.verify import verify_all


def verify(image, platform, registries, require=True):
    """Returns the result of `verify_all` for one image, or raises its error."""
    return verify_all([image], platform, registries, require)[str(image)]
