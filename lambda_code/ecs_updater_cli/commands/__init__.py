"""One file per command: options in, exit code out."""
