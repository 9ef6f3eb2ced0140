"""Process 1 of a lab of network namespaces; it holds them, and nothing outlives it.

The driver runs this file by `unshare` in new pid, mount, network (and user) namespaces.
It makes a bridge, and for every node a child process in network and mount namespaces of
its own, tied to the bridge by a veth pair; a node's `init` command, if it has one, is run
there.  Then it waits.  When the driver ends, in whatever way, a pidfd of the driver becomes
readable; the keeper exits, the kernel kills everything in its pid namespace, and the
namespaces with all their links and rules go with the last process.

It serves one request, on the driver's control socket and on a socket file: ``socket``, a
TCP socket made in here (on the bridge), passed by SCM_RIGHTS.  Whoever connects it
connects from inside the lab, whichever namespace he lives in himself.

This file uses the standard library only, and nothing of momus: it is run by its path, and
starts in a few hundredths of a second.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from typing import Any, NoReturn

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUTS = 0x04000000
_CLONE_NEWNET = 0x40000000
_REQUEST_BYTES_MAX = 4096


def main() -> None:
    """Raise the lab that ``argv[1]`` (JSON) describes, and keep it."""
    plan: dict[str, Any] = json.loads(sys.argv[1])
    control = socket.socket(fileno=plan["control"])
    try:
        pids = raise_lab(plan)
        listener = listen(plan["socket"])
    except Exception as error:
        control.send(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
        raise
    signal.signal(signal.SIGCHLD, _reap)
    _reap(0, None)
    control.send(json.dumps({"nodes": pids}).encode())
    serve(control, listener, plan["driver"])


def raise_lab(plan: dict[str, Any]) -> dict[str, int]:
    """Make the bridge and the nodes; returns the pid of each node's holder, by name."""
    held = {node["name"]: _hold(node, plan["prefix"]) for node in plan["nodes"]}
    lines = [
        "link set lo up",
        "link add momus0 type bridge",
        f"addr add {plan['address']}/{plan['prefix']} dev momus0",
        "link set momus0 up",
    ]
    for number, (pid, _, _) in enumerate(held.values(), start=1):
        lines += [
            f"link add m{number} type veth peer name eth0 netns {pid}",
            f"link set m{number} master momus0",
            f"link set m{number} up",
        ]
    _ip(lines)
    for _, go, _ in held.values():
        os.write(go, b"g")
    for name, (_, _, ready) in held.items():
        _expect(ready, b"2", name)
    return {name: pid for name, (pid, _, _) in held.items()}


def _hold(node: dict[str, Any], prefix: int) -> tuple[int, int, int]:
    """Fork the holder of a node's namespace: its pid, a pipe to it and one from it."""
    go_out, go_in = os.pipe()
    ready_out, ready_in = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(go_in)
            _unshare(_CLONE_NEWNET | _CLONE_NEWNS | _CLONE_NEWUTS)
            _mount_shared_memory()
            socket.sethostname(node["name"])
            os.write(ready_in, b"1")
            _expect(go_out, b"g", "keeper")
            _ip(
                [
                    "link set lo up",
                    f"addr add {node['address']}/{prefix} dev eth0",
                    "link set eth0 up",
                ]
            )
            if node["init"]:
                subprocess.Popen(node["init"], stdin=subprocess.DEVNULL)
            os.write(ready_in, b"2")
            _close_all()
        except BaseException as error:
            print(f"{node['name']}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        while True:
            signal.pause()
    os.close(go_out)
    os.close(ready_in)
    _expect(ready_out, b"1", node["name"])
    return pid, go_in, ready_out


def listen(path: str) -> socket.socket:
    """A listening socket file that only our own user may open, under a path of any length."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    before = os.umask(0o177)
    try:
        listener.bind(f"/proc/self/fd/{directory}/{os.path.basename(path)}")
    finally:
        os.umask(before)
        os.close(directory)
    listener.listen(16)
    return listener


def serve(control: socket.socket, listener: socket.socket, driver: int) -> None:
    """Hand out sockets until the driver closes the control socket or dies."""
    waiting = selectors.DefaultSelector()
    waiting.register(driver, selectors.EVENT_READ, "driver")
    waiting.register(control, selectors.EVENT_READ, "peer")
    waiting.register(listener, selectors.EVENT_READ, "listener")
    while True:
        for key, _ in waiting.select():
            if key.data == "driver":
                return
            assert isinstance(key.fileobj, socket.socket)
            if key.data == "listener":
                waiting.register(listener.accept()[0], selectors.EVENT_READ, "peer")
            elif not _answer(key.fileobj):
                if key.fileobj is control:
                    return
                waiting.unregister(key.fileobj)
                key.fileobj.close()


def _answer(peer: socket.socket) -> bool:
    """Answer one request; False if the peer has gone."""
    try:
        request = peer.recv(_REQUEST_BYTES_MAX)
        if not request:
            return False
        if request != b"socket":
            peer.send(b"unknown request")
            return True
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as made:
            socket.send_fds(peer, [b"socket"], [made.fileno()])
    except OSError:
        return False
    return True


def _reap(_signal: int, _frame: object) -> None:
    """Process 1 inherits every orphan."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


def _ip(lines: list[str]) -> None:
    done = subprocess.run(
        ["ip", "-batch", "-"], input="\n".join(lines) + "\n", text=True, capture_output=True
    )
    if done.returncode != 0:
        raise RuntimeError(f"ip: {done.stderr.strip()}")


def _unshare(flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"unshare: {os.strerror(error)}")


def _mount_shared_memory() -> None:
    """A /dev/shm of the node's own: names in it often are pids, and labs share no pids."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", b"/dev/shm", b"tmpfs", 0, b"mode=1777") != 0:
        error = ctypes.get_errno()
        print(f"/dev/shm is shared: {os.strerror(error)}", file=sys.stderr, flush=True)


def _expect(pipe: int, byte: bytes, who: str) -> None:
    if os.read(pipe, 1) != byte:
        raise RuntimeError(f"{who} ended while the lab was raised")


def _close_all() -> None:
    """The holder needs no descriptor, and must not hold the driver's."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.closerange(3, 1024)


def _main() -> NoReturn:
    main()
    os._exit(0)


if __name__ == "__main__":
    _main()
