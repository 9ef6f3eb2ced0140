"""A file system whose disk can be broken on order; it runs on the hosts, as one archive.

It passes everything through to a backing directory on the real disk.  What it can do
besides: fill up, be slow, fail reads and writes, show flipped bits and files cut short, and
forget, at the moment that stands for a power cut, whatever was not synced.

    kernel ──/dev/fuse──▶ Server ──▶ Operations ──▶ backing directory
                                        │  asks  ▲
                       Rules, damage, Unsynced, Names
                                        ▲
    momus ──Unix socket, JSON lines──▶ Control

Nothing here but the standard library of Python 3.11: hosts have no momus.
"""
