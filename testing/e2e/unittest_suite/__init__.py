"""The JSON events of ``testing/events`` as unittest classes with numbered checks;
`make run-lambda-test-unittest` runs them.
"""
