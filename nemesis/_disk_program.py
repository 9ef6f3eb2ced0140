"""Looks at a disk from outside: writes, syncs and reads a file there, as any program would.

It is sent over standard input to whatever Python the node has, so it imports nothing but
the standard library and avoids what Python 3.6 does not know.

Argument: one JSON object; ``do`` says what to look at.  Output: one JSON object.

"full", "unwritable", "unsyncable"
                       {"file", "tries"}: is a small write to a fresh file, or its sync, refused?
"unreadable"           {"file", "tries"}: can one of so many blocks of a file not be read?
"slow"                 {"file", "beside", "tries"}: how long do writing, syncing and reading a
                       file take, and how long beside, on the disk that lies under this one?
"damage"               {"seen", "true", "places"}: where does what one sees of files differ from
                       what is really there?  A place is an offset in a file, or its size.
"canaries"             {"kept", "loose"}: write two files, and sync the first
"survivors"            {"kept", "loose"}: which of them are still there, and whole?
"remove"               {"files"}: take files away that may be there
"""

import contextlib
import errno
import json
import os
import sys
import time

BLOCK = 4096
CANARY = b"momus" * 1000


def refused(file: str, tries: int) -> "dict[str, object]":
    """The name of the error with which a write or sync was refused; "" if none was."""
    for number in range(1, tries + 1):
        try:
            at = os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                os.write(at, CANARY)
                os.fsync(at)
            finally:
                os.close(at)
        except OSError as error:
            return {"error": named(error), "tries": number}
        finally:
            remove([file])
    return {"error": "", "tries": tries}


def unread(file: str, tries: int) -> "dict[str, object]":
    """The name of the error with which a block could not be read; "" if all could.

    Past the page cache, which would try again and again.
    """
    at = os.open(file, os.O_RDWR | os.O_CREAT | os.O_DIRECT, 0o600)
    try:
        os.ftruncate(at, tries * BLOCK)
        for number in range(tries):
            try:
                os.pread(at, BLOCK, number * BLOCK)
            except OSError as error:
                return {"error": named(error), "tries": number + 1}
        return {"error": "", "tries": tries}
    finally:
        os.close(at)
        remove([file])


def compared(file: str, beside: str, tries: int) -> "dict[str, object]":
    """The shortest of some tries here and beside, in seconds."""
    pairs = [(taken(file), taken(beside)) for _ in range(tries)]
    return {"here_s": min(here for here, _ in pairs), "beside_s": min(there for _, there in pairs)}


def taken(file: str) -> float:
    """How long it takes to write a small file, sync it and read it."""
    begun = time.monotonic()
    try:
        for flags in (os.O_WRONLY | os.O_CREAT, os.O_RDONLY):
            at = os.open(file, flags, 0o600)
            try:
                if flags == os.O_RDONLY:
                    os.read(at, BLOCK)
                else:
                    os.write(at, CANARY[:BLOCK])
                    os.fsync(at)
            finally:
                os.close(at)
        return time.monotonic() - begun
    finally:
        remove([file])


def differing(seen: str, true: str, places: "list[dict[str, object]]") -> "dict[str, object]":
    """How many places differ; one whose file is gone does not."""
    return {"differing": sum(differs(seen, true, place) for place in places)}


def differs(seen: str, true: str, place: "dict[str, object]") -> bool:
    """Does what one sees at this place differ from what is there?"""
    name = str(place["file"])
    try:
        paths = os.path.join(seen, name), os.path.join(true, name)
        with open(paths[0], "rb") as one, open(paths[1], "rb") as other:
            sizes = os.fstat(one.fileno()).st_size, os.fstat(other.fileno()).st_size
            if "offset" not in place:
                return sizes[0] < sizes[1]
            offset = int(str(place["offset"]))
            return os.pread(one.fileno(), 1, offset) != os.pread(other.fileno(), 1, offset)
    except FileNotFoundError:
        return False


def survivors(files: "dict[str, str]") -> "dict[str, object]":
    """For each file, is it whole?"""
    return {name: content(file) == CANARY for name, file in files.items()}


def content(file: str) -> bytes:
    """What is in the file; nothing if there is none."""
    try:
        with open(file, "rb") as source:
            return source.read()
    except FileNotFoundError:
        return b""


def canaries(kept: str, loose: str) -> "dict[str, object]":
    """Write both, and sync the first and its name."""
    for file in (kept, loose):
        at = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(at, CANARY)
            if file == kept:
                os.fsync(at)
        finally:
            os.close(at)
        if file == kept:
            directory = os.open(os.path.dirname(file), os.O_RDONLY)
            os.fsync(directory)
            os.close(directory)
    return survivors({"kept": kept, "loose": loose})


def remove(files: "list[str]") -> None:
    """Take them away if they are there."""
    for file in files:
        with contextlib.suppress(OSError):
            os.unlink(file)


def named(error: OSError) -> str:
    """ENOSPC, EIO..."""
    return errno.errorcode.get(error.errno or 0, str(error))


def look(request: "dict[str, object]") -> "dict[str, object]":
    """What was asked for."""
    kind = request.pop("do")
    if kind in ("full", "unwritable", "unsyncable"):
        return refused(**request)  # type: ignore[arg-type]
    if kind == "unreadable":
        return unread(**request)  # type: ignore[arg-type]
    if kind == "slow":
        return compared(**request)  # type: ignore[arg-type]
    if kind == "damage":
        return differing(**request)  # type: ignore[arg-type]
    if kind == "canaries":
        return canaries(**request)  # type: ignore[arg-type]
    if kind == "remove":
        remove(**request)  # type: ignore[arg-type]
        return {}
    return survivors(request)  # type: ignore[arg-type]


if __name__ == "__main__":
    print(json.dumps(look(json.loads(sys.argv[1]))))
