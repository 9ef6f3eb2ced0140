"""The program that measures what becomes of packets: it runs on every node at once.

It is sent over standard input to whatever Python the node has, so it imports nothing but
the standard library and avoids what Python 3.6 does not know.  Each node sends every other
`count` postcards (UDP datagrams) that bear a number, the time of day on the sender's
monotonic clock and a checksum of their own, and notes of those that arrive how many there
are, which come twice, behind later ones or spoilt, and how late.

First all call out until they have heard one another, so that nobody sends to one who does
not listen yet; those who wait in vain begin after `hello_s`.  Whoever has sent everything
says so again and again, and all leave a moment after everybody has.

A datagram that was changed on its way has a wrong UDP checksum, and the kernel drops it
before any UDP socket sees it.  So with `raw` a raw socket looks as well, which gets what has
passed the packet filters before UDP has judged it; only root may have one.

With `dial` every node also calls every other by TCP.

Argument: a JSON object (see `measure`).  Output: a JSON object.  Exit status 3: the port is
taken, try another.
"""

import contextlib
import json
import os
import select
import socket
import struct
import sys
import time
import zlib

PORT_TAKEN = 3
MAGIC = b"momu"
HEAD = struct.Struct(">4s16sBHIQ")
HELLO, DATA, END = 0, 1, 2
SIZE_MIN = HEAD.size + 4
CALL_EVERY_S = 0.02
SETTLE_S = 0.15
DIAL_S = 1.0
FAREWELLS = 10
SO_RCVBUFFORCE = 33


def clock_ns() -> int:
    """A clock that nobody sets or slews."""
    return int(time.clock_gettime(time.CLOCK_MONOTONIC_RAW) * 1e9)


def postcard(token: bytes, kind: int, index: int, seq: int, size: int) -> bytes:
    head = HEAD.pack(MAGIC, token, kind, index, seq, clock_ns())
    card = head + b"\x55" * (size - SIZE_MIN)
    return card + struct.pack(">I", zlib.crc32(card))


def is_whole(card: bytes) -> bool:
    return len(card) >= SIZE_MIN and card[-4:] == struct.pack(">I", zlib.crc32(card[:-4]))


def call(family: int, address: str, port: int) -> str:
    """What becomes of a TCP connection to a peer who is known to listen."""
    line = socket.socket(family, socket.SOCK_STREAM)
    line.settimeout(DIAL_S)
    try:
        line.connect((address, port))
    except (ConnectionRefusedError, ConnectionResetError):
        return "reset"
    except OSError:
        return "silent"
    finally:
        line.close()
    return "answered"


class Mailbox:
    """What has arrived from one peer."""

    def __init__(self) -> None:
        self.seen = set()  # type: set[int]
        self.delays = []  # type: list[int]
        self.copies = self.overtaken = self.spoilt = self.bytes = 0
        self.highest, self.first, self.last = -1, 0, 0
        self.hello = self.end = False

    def take(self, kind: int, seq: int, sent: int, size: int) -> None:
        self.hello = True
        if kind == END:
            self.end = True
        if kind != DATA:
            return
        now = clock_ns()
        if seq in self.seen:
            self.copies += 1
            return
        self.seen.add(seq)
        self.delays.append(now - sent)
        self.overtaken += seq < self.highest
        self.highest = max(self.highest, seq)
        self.bytes += size
        self.first = self.first or now
        self.last = now

    def told(self) -> "dict[str, object]":
        delays, seqs = sorted(self.delays), sorted(self.seen)
        tenth = len(delays) // 10
        return {
            "got": len(self.seen),
            "hole": max((seqs[n + 1] - seqs[n] - 1 for n in range(len(seqs) - 1)), default=0),
            "copies": self.copies,
            "overtaken": self.overtaken,
            "spoilt": self.spoilt,
            "bytes": self.bytes,
            "span_ns": self.last - self.first,
            "least_ns": delays[0] if delays else None,
            "spread_ns": delays[-1 - tenth] - delays[tenth] if delays else None,
        }


def measure(
    name: str,
    token: str,
    port: int,
    peers: "dict[str, str]",
    count: int,
    size: int,
    per_s: float,
    hello_s: float,
    linger_s: float,
    patience_s: float,
    raw: bool,
    dial: bool,
) -> "dict[str, object]":
    """Exchange `count` postcards of `size` bytes with each of `peers` (name to address).

    `per_s` is how many are sent in a second, to all peers together; `linger_s` by how much
    a postcard may come later than others that were sent after it, and `patience_s` how long
    to wait for the last word of a peer at most.
    """
    names = sorted([name, *peers])
    six = any(":" in address for address in peers.values())
    family = socket.AF_INET6 if six else socket.AF_INET
    box = socket.socket(family, socket.SOCK_DGRAM)
    try:
        box.bind(("", port))
    except OSError as error:
        sys.stderr.write("cannot listen on UDP port %d: %s\n" % (port, error))  # noqa: UP031
        sys.exit(PORT_TAKEN)
    if dial:
        # Whoever is dialled has the kernel answer; nobody needs to accept.
        door = socket.socket(family, socket.SOCK_STREAM)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind(("", port))
            door.listen(64)
        except OSError as error:
            sys.stderr.write("cannot listen on TCP port %d: %s\n" % (port, error))  # noqa: UP031
            sys.exit(PORT_TAKEN)
    watch = [box]
    if raw:
        watch.append(socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_UDP))
    for each in watch:
        each.setblocking(False)
        try:
            each.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        except OSError:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    ours, index = bytes.fromhex(token), names.index(name)
    mail = {peer: Mailbox() for peer in peers}
    by_address = {address: peer for peer, address in peers.items()}

    def read() -> None:
        for _ in range(256):
            try:
                card = box.recv(65536)
            except BlockingIOError:
                break
            except OSError:
                continue  # a refusal of an earlier postcard, by a peer not yet there
            if is_whole(card) and card[:4] == MAGIC:
                _, theirs, kind, sender, seq, sent = HEAD.unpack_from(card)
                if theirs == ours and sender < len(names) and names[sender] in mail:
                    mail[names[sender]].take(kind, seq, sent, len(card))
        for _ in range(256 * (len(watch) - 1)):
            try:
                packet, source = watch[1].recvfrom(65536)
            except OSError:
                break
            head = 0 if six else (packet[0] & 15) * 4
            card = packet[head + 8 :]
            to = packet[head + 2 : head + 4] == struct.pack(">H", port) and len(card) == size
            if to and source[0] in by_address and not is_whole(card):
                mail[by_address[source[0]]].spoilt += 1

    def send(peer: str, kind: int, seq: int = 0) -> None:
        card = postcard(ours, kind, index, seq, size if kind == DATA else SIZE_MIN)
        with contextlib.suppress(OSError):  # what the host does not let out is lost
            box.sendto(card, (peers[peer], port))

    def rest(until: float) -> None:
        wait = until - time.monotonic()
        select.select(watch, [], [], max(0.0, wait))
        read()

    start = time.monotonic()
    next_call = start
    while time.monotonic() < start + hello_s and not all(each.hello for each in mail.values()):
        if time.monotonic() >= next_call:
            next_call = time.monotonic() + CALL_EVERY_S
            for peer in peers:
                send(peer, HELLO)
        rest(next_call)
    met = [peer for peer in peers if mail[peer].hello]
    dialled = {peer: call(family, peers[peer], port) for peer in met if dial}
    began = time.monotonic()
    next_call = began
    turn, sent, total = list(peers), 0, count * len(peers)
    while sent < total:
        due = min(total, int((time.monotonic() - began) * per_s) + 1)
        while sent < due:
            send(turn[sent % len(turn)], DATA, sent // len(turn))
            sent += 1
            if sent % 16 == 0:
                read()
        if time.monotonic() >= next_call:  # for those who have not heard us yet
            next_call = time.monotonic() + CALL_EVERY_S
            for peer in peers:
                send(peer, HELLO)
        rest(began + sent / per_s)
    sent_s = time.monotonic() - began
    ended, farewells, settled = time.monotonic(), 0, None
    while time.monotonic() < ended + hello_s + patience_s:
        for peer in peers:
            send(peer, END)
        farewells += 1
        if settled is None and all(each.end for each in mail.values()):
            settled = time.monotonic() + SETTLE_S + linger_s
        if settled is not None and time.monotonic() >= settled and farewells >= FAREWELLS:
            break
        rest(time.monotonic() + CALL_EVERY_S)
    with open("/proc/sys/kernel/random/boot_id") as boot:
        return {
            "met": met,
            "dialled": dialled,
            "sent_s": sent_s,
            "boot": boot.read().strip(),
            "from": {peer: each.told() for peer, each in mail.items()},
        }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(**json.loads(sys.argv[1]))))
    sys.stdout.flush()
    os._exit(0)
