"""The verdict on one deployment: the one that an update made, identified by its id."""
