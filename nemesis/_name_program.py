"""The program that finds out whether names can be resolved on the host it runs on.

It is sent over standard input to whatever Python the host has, so it imports nothing but
the standard library and avoids what Python 3.6 does not know.  It looks in three ways: do
packets of DNS get to a responder and back (one of its own, at an address of loopback that
nobody uses), do the name servers in /etc/resolv.conf answer, and does the host itself know
some names, by whatever its nsswitch.conf says.

Argument: ``{"names": [...], "seconds": ...}``.  Output: a JSON object.
"""

import json
import os
import socket
import struct
import sys
import threading
import time

PORT = 53


def question(number: int) -> bytes:
    """Asks for the name servers of the root, which every server knows."""
    return struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + b"\0" + struct.pack(">HH", 2, 1)


def by_udp(address: str, seconds: float) -> str:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    number = int.from_bytes(os.urandom(2), "big")
    with socket.socket(family, socket.SOCK_DGRAM) as box:
        deadline = time.monotonic() + seconds
        try:
            box.connect((address, PORT))
            while time.monotonic() < deadline:
                box.send(question(number))
                box.settimeout(min(0.2, seconds))
                try:
                    if box.recv(4096)[:2] == struct.pack(">H", number):
                        return "answered"
                except socket.timeout:  # noqa: UP041
                    continue
        except ConnectionRefusedError:
            return "refused"
        except OSError as error:
            return type(error).__name__
    return "silent"


def by_tcp(address: str, seconds: float) -> str:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as line:
        line.settimeout(seconds)
        try:
            line.connect((address, PORT))
        except socket.timeout:  # noqa: UP041
            return "silent"
        except ConnectionRefusedError:
            return "refused"
        except OSError as error:
            return type(error).__name__
    return "answered"


def respond(box: socket.socket) -> None:
    """Echo every question: for a path that is answer enough."""
    while True:
        try:
            data, source = box.recvfrom(4096)
            box.sendto(data, source)
        except OSError:
            return


def path(seconds: float) -> "dict[str, str]":
    """Do datagrams and connections to port 53 pass, on this very host?"""
    for last in range(40, 60):
        address = "127.53.%d.%d" % (os.getpid() % 250, last)  # noqa: UP031
        box = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            box.bind((address, PORT))
            door.bind((address, PORT))
            door.listen(8)
        except OSError:
            box.close()
            door.close()
            continue
        threading.Thread(target=respond, args=(box,), daemon=True).start()
        return {"udp": by_udp(address, seconds), "tcp": by_tcp(address, seconds)}
    return {"udp": "taken", "tcp": "taken"}


def servers() -> "list[str]":
    try:
        with open("/etc/resolv.conf") as file:
            lines = [line.split() for line in file]
    except OSError:
        return []
    return [each[1].partition("%")[0] for each in lines if each[:1] == ["nameserver"] and each[1:]]


def known(name: str, seconds: float) -> str:
    """Whether the host resolves a name; it may take its time to find that it cannot."""
    found = []  # type: list[str]

    def look() -> None:
        try:
            socket.getaddrinfo(name, None)
            found.append("resolved")
        except OSError:
            found.append("unknown")

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0] if found else "no answer"


def main(names: "list[str]", seconds: float) -> "dict[str, object]":
    return {
        "path": path(seconds),
        "servers": {each: by_udp(each, seconds) for each in servers()[:3]},
        "names": {each: known(each, 4 * seconds) for each in names},
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(**json.loads(sys.argv[1]))))
    sys.stdout.flush()
    os._exit(0)
