"""Test doubles: stand-ins for AWS, its services and other programs."""
