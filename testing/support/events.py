"""What each of the eight test events comes to, in the order in which the suites send them."""

OUTCOMES = {
    "base": "200 IN_PROGRESS",
    "MULTIPLE_TAGS": "200 IN_PROGRESS",
    "SAME_INITIAL_VALUES": "200 IN_PROGRESS",
    "MISSING_JSON_FIELD": "InvalidEventError",
    "WRONG_JSON_FORMAT": "InvalidEventError",
    "MISSING_ECS_CLUSTER": "ClusterNotFoundError",
    "MISSING_ECS_SERVICE": "ServiceNotFoundError",
    "WRONG_IMAGE_NAME": "InvalidImageError",
}
