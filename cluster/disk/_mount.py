"""Mounting: by the system call where we may, else with the help of fusermount3."""

from __future__ import annotations

import array
import ctypes
import os
import shutil
import socket
import subprocess
from typing import Final

_DEVICE: Final = "/dev/fuse"
_MS_NOSUID: Final = 2
_MS_NODEV: Final = 4
_MNT_FORCE: Final = 1
_MNT_DETACH: Final = 2
_FUSERMOUNT_TIMEOUT_S: Final = 10.0

libc: Final = ctypes.CDLL(None, use_errno=True)


def mount(point: str, source: str) -> int:
    """Mount at `point`, under the name `source` in /proc/mounts; the device to serve.

    Raises `OSError`, which says what is missing.
    """
    try:
        return _mount_ourselves(point, source)
    except OSError as error:
        helper = shutil.which("fusermount3") or shutil.which("fusermount")
        if not isinstance(error, PermissionError) or helper is None:
            raise
        return _mount_by(helper, point, source)


def unmount(point: str) -> None:
    """Detach what is mounted at `point`, if we may; those who have files open keep them."""
    if libc.umount2(os.fsencode(point), _MNT_DETACH) != 0:
        helper = shutil.which("fusermount3") or shutil.which("fusermount")
        if helper is not None:
            subprocess.run([helper, "-u", "-z", "--", point], capture_output=True, check=False)


def _mount_ourselves(point: str, source: str) -> int:
    device = os.open(_DEVICE, os.O_RDWR)
    options = (
        f"fd={device},rootmode=40000,user_id={os.geteuid()},group_id={os.getegid()},"
        "default_permissions,allow_other"
    )
    done = libc.mount(
        source.encode(),
        os.fsencode(point),
        b"fuse.momus",
        ctypes.c_ulong(_MS_NOSUID | _MS_NODEV),
        options.encode(),
    )
    if done != 0:
        error = ctypes.get_errno()
        os.close(device)
        raise OSError(error, f"mount of FUSE: {os.strerror(error)}", point)
    return device


def _mount_by(helper: str, point: str, source: str) -> int:
    """fusermount3, which is setuid root, opens and mounts the device and hands it over."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs:
        done = subprocess.run(
            [helper, "-o", f"fsname={source},subtype=momus,default_permissions", "--", point],
            env={**os.environ, "_FUSE_COMMFD": str(theirs.fileno())},
            pass_fds=[theirs.fileno()],
            capture_output=True,
            timeout=_FUSERMOUNT_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            said = done.stderr.decode("utf-8", "replace").strip()
            raise PermissionError(1, f"{helper}: {said}", point)
        ours.settimeout(_FUSERMOUNT_TIMEOUT_S)
        devices = array.array("i")
        _, ancillary, _, _ = ours.recvmsg(1, socket.CMSG_SPACE(devices.itemsize))
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                devices.frombytes(data[: devices.itemsize])
        if not devices:
            raise PermissionError(1, f"{helper} handed over no device", point)
        os.set_inheritable(devices[0], False)
        return devices[0]
