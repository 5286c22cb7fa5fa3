"""The page in a real browser, with an API behind it that answers what a test gives it."""
