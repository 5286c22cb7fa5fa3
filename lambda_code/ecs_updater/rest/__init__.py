"""The door that speaks HTTP, behind Amazon API Gateway: a request in, the update's or the status's
answer out.

============  ======================================================================
``app``       what both doors of HTTP share
``routes``    which routes there are
``body``      the body of a request, as an event of the contract
``answer``    an answer or an error, with its status
``updating``  ``POST``: what changes a service
``reading``   ``GET``: what only tells
``help``      what the API can do, for programs
``openapi``   the same as an OpenAPI document, made of the schemas
============  ======================================================================

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""
