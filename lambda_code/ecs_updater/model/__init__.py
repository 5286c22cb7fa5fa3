"""Pure data: requests, images, tags, task definitions, plans, ARNs."""
