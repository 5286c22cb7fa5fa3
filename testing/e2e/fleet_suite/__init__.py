"""The suite of the fleet: a file of services through the command line, messages of other programs
through the queue.
"""
