"""The file of deployments. Pure: text in, entries or problems with their positions out."""
