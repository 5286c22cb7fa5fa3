"""Passes arguments, environment, directory and streams to the server (tool_server.py), and ends as
the call ends.

Usage: tool_client.py DIRECTORY SOCKET TOOL [ARGUMENT ...]
"""

import json
import os
import socket
import sys

_, folder, name, *arguments = sys.argv
message = json.dumps(
    {"arguments": arguments, "environment": dict(os.environ), "directory": os.getcwd()}
).encode()
with socket.socket(socket.AF_UNIX) as connection:
    try:
        os.chdir(folder)  # The path of a socket has at most 107 characters.
        connection.connect(name)
    except OSError:
        sys.exit(f"✗ the process that runs {arguments[0]} has ended: run the command again")
    socket.send_fds(connection, [len(message).to_bytes(8, "big")], [0, 1, 2])
    connection.sendall(message)
    answer = connection.recv(1)
sys.exit(answer[0] if answer else 255)
