"""One update from request to response. `deploy` has the steps in their order."""
