"""The program that troubles packets on a host whose kernel has no netem.

It lets the kernel hand it the packets that come from some addresses (NFQUEUE), and gives each
back changed, late, or not at all; or, to send them twice, those that this host sends there.
What is held back is held where it arrives, since a TCP that waits for its own host to send
what it has sends no more.  It is sent over standard input to
whatever Python the host has, so it imports nothing but the standard library, avoids what
Python 3.6 does not know, and speaks netlink itself.

Nothing of it outlives it.  The rule that sends packets here is in a table of our own with
an *owner*: the kernel removes it when the socket which made it is closed, that is, however
this program ends.  The rule has the flag "bypass" besides, and the queue "fail open", so no
packet is lost to a program that is dead or too slow.  It ends by SIGTERM, at its deadline,
and when something goes wrong, and lets go of what it holds (if it is killed by SIGKILL the
kernel drops that).

Argument: a JSON object (see `main`).  It exits with 0 when all is in place, and goes on in
the background; with another status and a complaint if it could do nothing.
"""

import contextlib
import errno
import heapq
import ipaddress
import json
import os
import random
import select
import signal
import socket
import struct
import sys
import time
import typing

NETLINK_NETFILTER = 12
SOL_NETLINK, NETLINK_NO_ENOBUFS = 270, 5
SO_RCVBUFFORCE, SO_MARK = 33, 36
IPV6_HDRINCL = 36
REQUEST, ACK = 1, 4
CREATE, EXCL, APPEND = 0x400, 0x200, 0x800
QUEUE, TABLES = 3 << 8, 10 << 8
VERDICT, CONFIG = QUEUE | 1, QUEUE | 2
NEW_TABLE, NEW_CHAIN, NEW_RULE = TABLES, TABLES | 3, TABLES | 6
BATCH_BEGIN, BATCH_END = 0x10, 0x11
OWNER = 2
"""The table's flag; kernels before 5.12 refuse it."""
DROP, ACCEPT = 0, 1
LOCAL_IN, LOCAL_OUT = 1, 3
PRIORITY = -310
NESTED = 0x8000
HELD_MAX = 50000
"""Packets that the kernel keeps for us at most; what comes then passes unharmed."""
BACKLOG_S = 0.2
"""Of a limited rate: what would have to wait longer is dropped, as by any router."""
BURST_BYTES = 8000


def attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def nest(kind: int, *parts: bytes) -> bytes:
    return attribute(kind | NESTED, b"".join(parts))


def number(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack(">I", value))


def text(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")


def message(kind: int, flags: int, family: int, resource: int, *parts: bytes) -> bytes:
    body = struct.pack("=BB", family, 0) + struct.pack(">H", resource) + b"".join(parts)
    return struct.pack("=IHHII", 16 + len(body), kind, flags | REQUEST, 0, 0) + body


def open_netlink() -> socket.socket:
    box = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
    box.bind((0, 0))
    box.settimeout(5.0)
    return box


def tell(box: socket.socket, data: bytes, answers: int) -> None:
    """Send messages and await this many acknowledgements; OSError says what was refused."""
    box.send(data)
    while answers:
        reply = box.recv(65536)
        while len(reply) >= 16:
            length, kind = struct.unpack_from("=IH", reply)
            if kind == 2:
                (code,) = struct.unpack_from("=i", reply, 16)
                if code:
                    raise OSError(-code, os.strerror(-code))
                answers -= 1
            reply = reply[(length + 3) & ~3 :]


def expression(name: str, *parts: bytes) -> bytes:
    return nest(1, text(1, name), nest(2, *parts))


def rules(
    box: socket.socket,
    table: str,
    addresses: "list[typing.Any]",
    mark: int,
    queue: int,
    native: bool,
    outgoing: bool,
) -> None:
    """Make the owned tables whose rules send packets from (or to) these addresses to the queue.

    Kernels know two ways to say "to the queue": nftables' own, and that of iptables.
    """
    if native:
        to_queue = expression(
            "queue",
            attribute(1, struct.pack(">H", queue)),
            attribute(2, struct.pack(">H", 1)),
            attribute(3, struct.pack(">H", 1)),
        )
    else:
        info = struct.pack("=HHHxx", queue, 1, 1)
        to_queue = expression("target", text(1, "NFQUEUE"), number(2, 3), attribute(3, info))
    parts, count = [message(BATCH_BEGIN, 0, 0, 10)], 0
    at_hook, side = (LOCAL_OUT, 1) if outgoing else (LOCAL_IN, 0)
    for version, family, at in (
        (4, socket.AF_INET, 12 + 4 * side),
        (6, socket.AF_INET6, 8 + 16 * side),
    ):
        known = [each.packed for each in addresses if each.version == version]
        if not known:
            continue
        hook = nest(4, number(1, at_hook), number(2, PRIORITY & 0xFFFFFFFF))
        parts.append(
            message(NEW_TABLE, ACK | CREATE | EXCL, family, 0, text(1, table), number(2, OWNER))
        )
        parts.append(
            message(
                NEW_CHAIN, ACK | CREATE, family, 0,
                text(1, table), text(3, "packets"), hook, text(7, "filter"),
            )
        )  # fmt: skip
        for packed in known:
            expressions = nest(
                4,
                expression("meta", number(1, 1), number(2, 3)),
                expression(
                    "cmp", number(1, 1), number(2, 1),
                    nest(3, attribute(1, struct.pack("=I", mark))),
                ),
                expression(
                    "payload", number(1, 1), number(2, 1), number(3, at), number(4, len(packed)),
                ),
                expression("cmp", number(1, 1), number(2, 0), nest(3, attribute(1, packed))),
                to_queue,
            )  # fmt: skip
            parts.append(
                message(
                    NEW_RULE, ACK | CREATE | APPEND, family, 0,
                    text(1, table), text(2, "packets"), expressions,
                )
            )  # fmt: skip
        count += 2 + len(known)
    parts.append(message(BATCH_END, 0, 0, 10))
    tell(box, b"".join(parts), count)


def bind_queue(box: socket.socket, dice: random.Random) -> int:
    """Bind a queue that nobody uses; its number."""
    for _ in range(50):
        queue = dice.randrange(1000, 65000)
        try:
            tell(box, message(CONFIG, ACK, 0, queue, attribute(1, struct.pack(">BxH", 1, 0))), 1)
        except OSError as error:
            if error.errno not in (errno.EBUSY, errno.EPERM) or os.geteuid():
                raise
            continue
        copy = attribute(2, struct.pack(">IB", 0xFFFF, 2))
        fail_open = number(4, 1) + number(5, 1)
        settings = copy + number(3, HELD_MAX) + fail_open
        tell(box, message(CONFIG, ACK, 0, queue, settings), 1)
        return queue
    raise OSError(errno.EBUSY, "no free queue after 50 tries")


class Trouble:
    """Decides what becomes of each packet; holds what is late.

    Invariant: every packet the kernel gave us is answered exactly once, now or when due.
    """

    def __init__(
        self,
        box: socket.socket,
        queue: int,
        mark: int,
        orders: "dict[str, float]",
        dice: random.Random,
    ) -> None:
        self.box, self.queue, self.mark, self.dice = box, queue, mark, dice
        self.orders = {
            key: orders.get(key, 0) for key in ("loss", "duplicate", "corrupt", "reorder")
        }
        self.delay_s, self.jitter_s = orders.get("delay_s", 0), orders.get("jitter_s", 0)
        self.hold_s, self.rate = orders.get("hold_s", 0), orders.get("bytes_per_s", 0)
        self.late = []  # type: list[tuple[float, int, int, bytes]]
        self.count = 0
        self.free_at = {}  # type: dict[bytes, float]
        self.raw = {}  # type: dict[int, socket.socket]

    def happens(self, what: str) -> bool:
        return self.orders[what] > 0 and self.dice.random() < self.orders[what]

    def take(self, ident: int, packet: bytes) -> None:
        now = time.monotonic()
        if self.happens("loss"):
            self.answer(ident, DROP, b"")
            return
        changed = b""
        if self.happens("corrupt"):
            changed = self.corrupted(packet)
        due = now + self.delay_s + self.dice.uniform(-self.jitter_s, self.jitter_s)
        if self.happens("reorder"):
            due += self.hold_s
        if self.rate:
            link = packet[12:20] if packet[0] >> 4 == 4 else packet[8:40]
            free = max(self.free_at.get(link, 0), now - BURST_BYTES / self.rate)
            free += len(packet) / self.rate
            if free > now + BACKLOG_S:
                self.answer(ident, DROP, b"")
                return
            self.free_at[link] = free
            due = max(due, free)
        if self.happens("duplicate"):
            self.send_copy(packet)
        if due <= now:
            self.answer(ident, ACCEPT, changed)
            return
        self.count += 1
        heapq.heappush(self.late, (due, self.count, ident, changed))

    def pay(self) -> "float | None":
        """Let go of what is due; how long until the next is, or None."""
        now = time.monotonic()
        while self.late and self.late[0][0] <= now:
            _, _, ident, changed = heapq.heappop(self.late)
            self.answer(ident, ACCEPT, changed)
        return self.late[0][0] - now if self.late else None

    def let_go(self) -> None:
        """Of everything: what is held goes its way at once, and what waits in the queue, too."""
        for _, _, ident, changed in sorted(self.late):
            self.answer(ident, ACCEPT, changed)
        self.box.setblocking(False)
        try:
            while True:
                for ident, _ in packets_in(self.box.recv(1 << 17)):
                    self.answer(ident, ACCEPT, b"")
        except OSError:
            pass  # nothing waits any more

    def answer(self, ident: int, verdict: int, changed: bytes) -> None:
        parts = [attribute(2, struct.pack(">II", verdict, ident))]
        if changed:
            parts.append(attribute(10, changed))
        try:
            self.box.send(message(VERDICT, 0, 0, self.queue, *parts))
        except OSError as error:
            if error.errno != errno.ENOENT:  # its device is gone, and the packet with it
                raise

    def corrupted(self, packet: bytes) -> bytes:
        """One bit of what the IP header carries is flipped; the checksums stay as they were."""
        head = (packet[0] & 15) * 4 if packet[0] >> 4 == 4 else 40
        changed = bytearray(packet)
        if len(changed) > head:
            changed[self.dice.randrange(head, len(changed))] ^= 1 << self.dice.randrange(8)
        return bytes(changed)

    def send_copy(self, packet: bytes) -> None:
        """The same packet once more, marked so that it does not come here again."""
        four = packet[0] >> 4 == 4
        family = socket.AF_INET if four else socket.AF_INET6
        if family not in self.raw:
            raw = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
            if not four:
                raw.setsockopt(socket.IPPROTO_IPV6, IPV6_HDRINCL, 1)
            raw.setsockopt(socket.SOL_SOCKET, SO_MARK, self.mark)
            raw.setblocking(False)
            self.raw[family] = raw
        to = socket.inet_ntop(family, packet[16:20] if four else packet[24:40])
        with contextlib.suppress(OSError):  # a copy less; the original goes its way
            self.raw[family].sendto(packet, (to, 0))


def packets_in(data: bytes) -> "typing.Iterator[tuple[int, bytes]]":
    """The (number, content) of every packet in what the kernel sent."""
    while len(data) >= 20:
        length, kind = struct.unpack_from("=IH", data)
        if kind == QUEUE:
            ident, content, at = None, b"", 20
            while at + 4 <= length:
                size, key = struct.unpack_from("=HH", data, at)
                if size < 4:
                    break
                if key & 0x3FFF == 1:
                    (ident,) = struct.unpack_from(">I", data, at + 4)
                elif key & 0x3FFF == 10:
                    content = data[at + 4 : at + size]
                at += (size + 3) & ~3
            if ident is not None and content:
                yield ident, content
        data = data[(length + 3) & ~3 :]


def serve(box: socket.socket, trouble: Trouble, deadline: float) -> None:
    box.setblocking(False)
    while time.monotonic() < deadline:
        wait = trouble.pay()
        left = deadline - time.monotonic()
        readable, _, _ = select.select(
            [box], [], [], max(0.0, left if wait is None else min(wait, left))
        )
        if not readable:
            continue
        for _ in range(64):
            try:
                data = box.recv(1 << 17)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno == errno.ENOBUFS:  # more than we can take: it passes unharmed
                    continue
                raise
            for ident, packet in packets_in(data):
                trouble.take(ident, packet)


def write_pid(path: str) -> None:
    """Who we are, for ever: pid, start time and boot."""
    with open("/proc/self/stat") as stat:
        start = stat.read().rpartition(") ")[2].split()[19]
    with open("/proc/sys/kernel/random/boot_id") as boot:
        line = "%d %s %s\n" % (os.getpid(), start, boot.read().strip())  # noqa: UP031
    descriptor = os.open(
        path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644
    )
    os.write(descriptor, line.encode())
    os.close(descriptor)
    os.rename(path + ".new", path)


def stand(request: "dict[str, typing.Any]", ready: int) -> None:
    """All the work, in a process of its own."""
    os.setsid()
    dice = random.Random(request["seed"])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    deadline = time.monotonic() + request["at_most_s"]
    write_pid(request["pid_file"])
    # From here on an undo finds us, so the lock of the strike, which we hold, may go.
    for each in range(3, 256):
        if each != ready:
            with contextlib.suppress(OSError):
                os.close(each)
    box, owner = open_netlink(), open_netlink()
    try:
        box.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
    except OSError:
        box.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
    box.setsockopt(SOL_NETLINK, NETLINK_NO_ENOBUFS, 1)
    queue = bind_queue(box, random.SystemRandom())
    addresses = [ipaddress.ip_address(each) for each in request["addresses"]]
    mark, outgoing = request["mark"], request["outgoing"]
    try:
        rules(owner, request["table"], addresses, mark, queue, True, outgoing)
    except OSError as error:
        if error.errno == errno.EEXIST:
            raise
        owner.close()  # with it all that was refused
        owner = open_netlink()
        rules(owner, request["table"], addresses, mark, queue, False, outgoing)
    trouble = Trouble(box, queue, mark, request["orders"], dice)
    os.write(ready, b"ready")
    os.closerange(0, 3)
    for _ in range(3):
        os.open(os.devnull, os.O_RDWR)
    os.close(ready)
    try:
        serve(box, trouble, deadline)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        owner.close()  # with it the kernel removes the rules
        trouble.let_go()
        os._exit(0)


def main(request: "dict[str, typing.Any]") -> None:
    """Go into the background with `addresses`, `orders`, `table`, `mark`, `seed` and so on."""
    out, ready = os.pipe()
    sys.stdout.flush()
    if os.fork() == 0:
        try:
            os.close(out)
            stand(request, ready)
        except BaseException as error:
            os.write(ready, ("%s: %s" % (type(error).__name__, error)).encode())  # noqa: UP031
            os._exit(1)
    os.close(ready)
    said = b""
    while True:
        more = os.read(out, 4096)
        said += more
        if not more:
            break
    if said != b"ready":
        sys.stderr.write(said.decode() or "it ended at once")
        sys.exit(1)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
