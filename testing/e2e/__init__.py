"""Tests with real programs: emulator, SAM, Terraform, containers, browser."""
