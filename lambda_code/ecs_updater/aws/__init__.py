"""The only package that calls AWS, and the only one that imports the SDK."""
