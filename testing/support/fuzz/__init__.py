"""A seeded generator of events for every way in, and what must hold for each of them."""
