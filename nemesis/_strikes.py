"""How a strike on its way to a host is kept from arriving after its undo.

A driver may be killed while the command that breaks something is on its way, and `momus
heal` must not be overtaken by it.  So every such command bears the name of its strike and
begins with `BEGIN_STRIKE`; undoing a strike begins with `BAR_STRIKE`, which first waits for
a strike at work and then bars it from ever being begun, by a line in a file of the run's
own directory on the host, which is also the lock.

Both are the beginnings of shell scripts; their first two arguments are the run's directory
on the host and the name of the strike, and they take these away.
"""

from __future__ import annotations

from typing import Final

BEGIN_STRIKE: Final = """
exec 9>>"$1/strikes-undone" || exit 1
if command -v flock >/dev/null; then flock -w 10 9 || exit 1; fi
! grep -qx "$2" "$1/strikes-undone" || { echo "$2 has been undone" >&2; exit 1; }
shift 2
"""
BAR_STRIKE: Final = """
if (: >>"$1/strikes-undone") 2>/dev/null; then
  exec 9>>"$1/strikes-undone"
  if command -v flock >/dev/null; then flock -w 10 9 || exit 1; fi
  echo "$2" >&9
fi
shift 2
"""
