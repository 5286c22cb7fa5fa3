"""The entry points of the Lambda functions.

Each file parses its event, calls one function and maps the result.
"""
