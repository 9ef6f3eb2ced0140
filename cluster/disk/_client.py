"""Gives one order to a file system, and prints its answer; it is sent along as text.

Argument: a JSON object, ``{"socket": path, "order": {...}, "or_gone": false}``.  With
`or_gone` a file system that is no more is success: its faults are gone with it.

Standard library only, and nothing that Python 3.6 does not know.
"""

import json
import os
import socket
import sys


def ask(path: str, order: "dict[str, object]") -> "dict[str, object]":
    """The answer of the file system whose control socket is at `path`."""
    directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        peer.settimeout(60)
        peer.connect("/proc/self/fd/%d/%s" % (directory, os.path.basename(path)))  # noqa: UP031
        peer.sendall(json.dumps(order).encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            part = peer.recv(65536)
            if not part:
                raise ConnectionResetError("the file system ended")
            answer += part
    finally:
        peer.close()
        os.close(directory)
    told = json.loads(answer.decode())  # type: dict[str, object]
    return told


if __name__ == "__main__":
    request = json.loads(sys.argv[1])
    try:
        told = ask(request["socket"], request["order"])
    except (FileNotFoundError, ConnectionRefusedError, ConnectionResetError) as error:
        if not request.get("or_gone"):
            sys.exit("no file system answers: %s" % error)  # noqa: UP031
        told = {"gone": True}
    if "error" in told:
        sys.exit(str(told["error"]))
    print(json.dumps(told))
