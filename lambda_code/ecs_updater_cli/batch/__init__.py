"""A batch while it is watched. Pure but for the loop, which is handed what it works with.

=============  ==================================================================
``state``      how far one update is, in words
``row``        one service of the batch, as it is known
``board``      all of them, and what changed
``waves``      groups, one after another
``door``       what the loop asks of the place where updates are begun
``follow``     the loop: begin, look, show, until all have their verdict
=============  ==================================================================
"""
