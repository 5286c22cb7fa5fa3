"""Jobs of AWS CodePipeline: an action of a pipeline starts an update and gets its verdict."""
