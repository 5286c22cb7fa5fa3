"""Tests of the command line, and what they need: a terminal, a scripted batch, a fake of what is
behind the door.
"""
