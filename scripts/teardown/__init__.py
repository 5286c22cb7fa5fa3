"""Removes every resource whose tag ``ecs-updater`` is the stack's name, and reports other ones."""
