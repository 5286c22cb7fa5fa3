"""The command line `ecs-updater`: updates services from a file and waits for their verdicts."""
