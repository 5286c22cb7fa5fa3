"""What API Gateway itself answers to a body that does not fit the schema, before the function sees
it.

It names no violation in its message, so the function's own words cannot be compared. Its documented
answer is held in their place:
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html
"""

from ..api import Reply

VIOLATION = "the violation that the gateway has found"
STAGE = "[ERROR][json_validation] wrong input event format: "
MESSAGE = f"{STAGE}the body is not what the schema in /openapi.json says"


def refused_the_body(reply: Reply) -> bool:
    """Whether the gateway refused the body: its error has a header that no function sets."""
    return (
        reply.status == 400
        and reply.headers.get("x-amzn-errortype") == "BadRequestException"
        and reply.json().get("errorMessage") == MESSAGE
    )
