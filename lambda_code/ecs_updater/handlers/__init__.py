"""One file per door: turns its event into an update, and the result into its answer; nothing
else.
"""
