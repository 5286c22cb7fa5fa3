"""The only part that talks to AWS, and the only one that imports botocore.

==========  ===========================================================================
``ecs``     the six calls of Amazon ECS that an update makes, typed
``wire``    what is hung into the SDK: raw bodies, careful retries, counting
``failure`` what became of a call that failed, in our words
==========  ===========================================================================
"""
