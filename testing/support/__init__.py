"""Stand-ins that the suites share."""
