"""One file per verb: options in, exit code out.

=============  =============================================================
``options``    options that several verbs share
``reading``    the file, or the reason why it cannot be used
``batching``   from events to a batch, and its exit code
``opening``    the door that the options ask for
``following``  a batch from its beginning to its exit code
``leaving``    what becomes of a batch that nobody watches any more
``planning``   a dry run
``deploy``     many services from a file
``update``     one service
``rollback``   one service, back to what worked
``watch``      back to a batch
``stop``       a batch, as far as it has not begun
``validate``   the file alone
``status``     what runs
``history``    what was deployed
=============  =============================================================
"""
