"""Handler of the API's Lambda authoriser.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
"""

import os
from typing import Any

from .authorizer import Authorizer

AUTHORIZER = Authorizer.of(os.environ)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Returns the policy of one request. Raises KeysUnavailable or InvalidEventError."""
    del context
    return AUTHORIZER.authorize(event)
