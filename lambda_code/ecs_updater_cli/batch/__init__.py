"""A batch of updates: the state of each service, the waves, and the loop that polls."""
