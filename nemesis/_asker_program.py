"""Stands in front of programs that only look, and ends them when nobody listens any more.

A driver may die, or the connection to it; the kernel then tells whoever holds the other end
of our standard output, a pipe or a socket, at once.  A thread that does nothing else waits for
that, so it costs nothing and needs no place in the program's own waits.  Whoever writes to a
file, or has nobody at the other end who could go, is never ended by it.

It avoids what Python 3.6 does not know.
"""

import os
import select
import threading

ASKER_GONE = 4


def end_with_asker(descriptor: int) -> None:
    """Wait until the other end of our output is gone, then end the process at once."""
    other_end = select.poll()
    other_end.register(descriptor, 0)  # a hang-up is told unasked
    while True:
        for _, event in other_end.poll():
            if event & select.POLLNVAL:
                return  # no standard output at all
            os._exit(ASKER_GONE)


if __name__ == "__main__":
    threading.Thread(target=end_with_asker, args=(1,), daemon=True).start()
