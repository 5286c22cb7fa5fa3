"""Removes from AWS, or from an emulator of it, what the pipelines made; what is not there any more
is passed over.

Whatever carries the tag ``ecs-updater`` with the stack's name as its value is this project's own. A
thing that has the name of one of ours and lacks the tag is left alone and named, and everything
else is removed all the same.

``project``   which things are ours, and what is said about the others
``waiting``   bounded waiting, and trying again while something is still in use
``workload``  the service and the revisions of its task definition
``stacks``    the stacks of CloudFormation
``orphans``   what a Terraform that was killed made and did not write down
``api``       the same for the API: stage, key, functions, and the account's role for its logs
``fleet``     the same for the fleet: mapping, worker, queues, alarm, and the senders' policy
``ledger``    the same for the ledger: its table, the completer and the rules that call it
``network``   the same for a VPC and what is in it
``bucket``    the bucket for bundles
"""
