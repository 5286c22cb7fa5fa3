"""Removes from AWS, or from an emulator of it, what the pipelines created: every resource whose tag
``ecs-updater`` is the stack's name. One with a name of ours and without the tag is reported.
"""
