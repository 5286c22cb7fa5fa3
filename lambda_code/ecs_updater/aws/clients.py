"""The session that makes every client: botocore's, because boto3 takes longer to import.

boto3 wraps this session and adds resources and transfers to Amazon S3.
"""

from functools import cache

from botocore.session import Session, get_session


@cache
def session() -> Session:
    """Returns the session of this process, made at the first call."""
    return get_session()
