"""What each of the eight test events comes to, in the order in which the suites send them."""

OUTCOMES = {
    "base": "200 IN_PROGRESS",
    "MULTIPLE_TAGS": "200 IN_PROGRESS",
    "SAME_INITIAL_VALUES": "200 IN_PROGRESS",
    "MISSING_JSON_FIELD": "refused: json_validation",
    "WRONG_JSON_FORMAT": "refused: json_validation",
    "MISSING_ECS_CLUSTER": "refused: ecs_service_read",
    "MISSING_ECS_SERVICE": "refused: ecs_service_read",
    "WRONG_IMAGE_NAME": "refused: ecs_service_update",
}
