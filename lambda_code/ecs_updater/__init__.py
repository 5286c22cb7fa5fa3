"""Changes the image and the tags of an Amazon ECS service, safely, and says what happened.

Data goes one way: event → request → snapshot → plan → apply → result.

===================  =====================================================================
``handlers``         one file per door: its event in, its answer out
``call``             one invocation: which, and how long it may take
``calls``            how many requests to AWS one piece of work costs
``updater``          one update or rollback from end to end, whatever the door
``event``            JSON event → ``request``
``request``          what an event asks for
``allow_list``       which images and services the configuration allows
``image``            what an image reference is made of
``tags``             the difference between two sets of tags
``task_definition``  the new revision, out of the running one
``fields``           which fields of a task definition can be registered
``described``        what DescribeServices tells of a service
``snapshot``         what a service is before an update
``plan``             what an update has to write, possibly nothing
``workflow``         from plan to end: wait, rollback, ledger, recovery
``service``          reads the service; writes a plan to it; returns it
``rollout``          the verdict of the deployment that an update made
``registry``         whether an image is there, and for which processor
``ledger``           history of the updates, and the lease of a service
``result``           what the caller is told
``rest``             the door that speaks HTTP: requests, statuses, routes
``fleet``            the door that is a queue: many services, at the rate that ECS allows
``status``           what runs and what was deployed, for who only reads it
``page``             the same as a page in a browser
``rates``            how fast ECS lets its API be called
``settings``         what the function's environment variables mean
``clock``            time, handed in
``json_document``    a JSON text, read strictly
``nearest``          the name that a misspelled one was meant to be
``log``              one structured line per update
``errors``           everything that can go wrong, as one tree
``aws``              the only part that talks to AWS
===================  =====================================================================
"""
