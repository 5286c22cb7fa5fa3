"""What a person or a program reads: lines, JSON objects, the live view, tables."""
