"""What a person or a program reads.

===========  ====================================================================
``text``     words, colours, times and lengths that all of them share
``printer``  where it goes: standard output, and standard error for the rest
``lines``    one line for each change
``records``  one JSON object for each change
``folding``  which rows fit where not all do
``screen``   the live view as text, for any width and height
``live``     the live view on a terminal, drawn again and again
``summary``  how a batch ended
``plan``     what a dry run found
``columns``  tables that fit, and stay whole in a pipe
``tables``   services, and updates of the past
===========  ====================================================================
"""
