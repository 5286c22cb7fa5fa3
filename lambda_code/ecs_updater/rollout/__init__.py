"""Judges the deployment that an update made, identified by its id."""
