"""The program that runs on every node of a cluster at once and tells whom it heard.

It is sent over standard input to whatever Python the node has, so it imports nothing but
the standard library and avoids what Python 3.6 does not know.  Each node sends numbered
postcards (UDP datagrams) to every other and notes whose postcards arrive: one direction
of one link each, so that a one-way cut looks like one.  Postcards say whom their sender
has heard; when everybody has heard everybody, all go home early.

Arguments: one JSON object.  Output: one JSON object ``{"heard": [...], "ran_s": ...}``.
Exit status 3: the port is taken, try another.
"""

import contextlib
import json
import select
import socket
import sys
import time

PORT_TAKEN = 3
SEND_EVERY_S = 0.05
FAREWELLS = 3


def listen(
    name: str, token: str, port: int, seconds: float, peers: "dict[str, str]"
) -> "dict[str, object]":
    """Send to `peers` (name to address) and listen for `seconds` at most."""
    six = any(":" in address for address in peers.values())
    box = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        box.bind(("", port))
    except OSError as error:
        sys.stderr.write("cannot listen on UDP port %d: %s\n" % (port, error))  # noqa: UP031
        sys.exit(PORT_TAKEN)
    start = time.monotonic()
    heard, heard_us = set(), set()  # type: set[str], set[str]
    farewells, next_send = FAREWELLS, start
    while time.monotonic() < start + seconds and farewells:
        if time.monotonic() >= next_send:
            next_send += SEND_EVERY_S
            postcard = json.dumps({"token": token, "from": name, "heard": sorted(heard)})
            for address in peers.values():
                # A blackhole route refuses to send: that link is cut, as it should be.
                with contextlib.suppress(OSError):
                    box.sendto(postcard.encode(), (address, port))
            if len(heard) == len(heard_us) == len(peers):
                farewells -= 1
        readable, _, _ = select.select([box], [], [], max(0.0, next_send - time.monotonic()))
        if not readable:
            continue
        try:
            data = json.loads(box.recv(65536).decode())
            if data["token"] == token and data["from"] in peers:
                heard.add(data["from"])
                if name in data["heard"]:
                    heard_us.add(data["from"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # not a postcard of ours
    return {"heard": sorted(heard), "ran_s": time.monotonic() - start}


if __name__ == "__main__":
    print(json.dumps(listen(**json.loads(sys.argv[1]))))
