"""Hands its arguments, environment, directory and streams to the server beside it, and ends as the
call ends.
"""

import json
import os
import socket
import sys

with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(f"{os.path.abspath(sys.argv[0])}.socket")
    message = json.dumps(
        {"arguments": sys.argv, "environment": dict(os.environ), "directory": os.getcwd()}
    ).encode()
    socket.send_fds(connection, [len(message).to_bytes(8, "big")], [0, 1, 2])
    connection.sendall(message)
    answer = connection.recv(1)
sys.exit(answer[0] if answer else 255)
