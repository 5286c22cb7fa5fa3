"""The authoriser of the HTTP API with `API_AUTH=jwt`: checks the bearer token of each request.

It is a bundle and a function of its own, because the other functions need no cryptography.
"""
