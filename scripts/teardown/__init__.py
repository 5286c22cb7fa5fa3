"""Removes from AWS, or from an emulator of it, what the pipelines created; what is missing is
skipped.

A resource belongs to this project when its tag ``ecs-updater`` has the stack's name as its value. A
resource with the name of this project and without the tag stays and is named, and everything else
is removed all the same.

``project``   which resources belong to this project, and the sentences about the others
``waiting``   bounded waiting, and new attempts while something is still in use
``workload``  the service, the revisions of its task definition, and the senders' policy
``stacks``    the stacks of CloudFormation
``kinds``     the kinds of resources: how each is found, read and deleted
``orphans``   the resources that a killed run of Terraform left, in the order in which they can go
``network``   the same for a VPC and the resources in it
"""
