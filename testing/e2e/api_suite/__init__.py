"""What the deployed API answers, on the emulator or in an account; `make run-api-test` runs it."""
