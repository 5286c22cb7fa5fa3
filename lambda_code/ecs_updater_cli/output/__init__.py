"""Output for people and programs: lines, JSON objects, the live view, tables."""
