"""The only part that talks to AWS, and the only one that imports botocore.

==============  ===========================================================================
``ecs``         the calls of Amazon ECS that an update makes, typed
``ecs_reader``  those that only read, many at once and no faster than ECS answers
``dynamodb``    one table, typed: read items, change one on a condition, change several or none
``attributes``  the form in which that table's values travel
``ecr``         what Amazon ECR has by a tag or a digest
``oci``         what any other registry has, by the OCI distribution API
``http``        a careful GET: public addresses alone, bounded in time and size
``wire``        what is hung into the SDK: raw bodies, careful retries, counting, pace
``bucket``      a token bucket, as AWS counts calls
``sqs``         a queue with an order: send to it, hide what came from it
``session``     profile, region and time of a person's machine, and whose account that is
``failure``     what became of a call that failed, in our words
==============  ===========================================================================
"""
