"""The one place where exceptions become exit codes.

`FrontDoor` is an ordinary click group whose `main` turns whatever a command raises into
one line on stderr and an exit code.  It sits in `main` rather than around it, so the
same door is used by the console script, by ``python -m momus`` and by click's test
runner.  Commands return their `ExitCode`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from momus._exits import Broken, ExitCode, Refusal, one_line


class FrontDoor(click.Group):
    """A click group that never shows a traceback for a user's mistake."""

    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> int:
        """Run the command line; in stand-alone mode exit with its code, else return it."""
        inner = super().main
        code = _leave(lambda: inner(args, prog_name, standalone_mode=False, **extra))
        if standalone_mode:
            sys.exit(code)
        return code


def _leave(command: Callable[[], Any]) -> int:
    try:
        code = command()
        sys.stdout.flush()
        return int(code) if isinstance(code, int) else ExitCode.VALID
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return ExitCode.USAGE
    except click.UsageError as error:
        return complain(_usage(error), ExitCode.USAGE)
    except click.ClickException as error:
        return complain(error.format_message(), ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        return complain("interrupted", ExitCode.INTERRUPTED)
    except (BrokenPipeError, SystemExit):  # click turns the former into the latter, code 1
        return _fall_silent()
    except Refusal as error:
        return complain(error, ExitCode.USAGE)
    except Broken as error:
        return complain(error, ExitCode.BROKEN)
    except Exception as error:
        if os.environ.get("MOMUS_TRACEBACK"):
            raise
        return _foreseen(error)


def _usage(error: click.UsageError) -> str:
    """Click's message, with what to try; click itself would take three lines."""
    message = error.format_message().rstrip(".")
    if "; try " in message or error.ctx is None:
        return message
    return f"{message}; try `{error.ctx.command_path} --help`"


def complain(message: object, code: ExitCode) -> ExitCode:
    """Say `message` in one line on stderr; returns `code`."""
    click.echo(f"momus: {one_line(message)}", err=True)
    return code


def _foreseen(error: Exception) -> ExitCode:
    """The errors of the other rooms; imported late, since these rooms are heavy."""
    from histories import HistoryError

    if isinstance(error, HistoryError):
        return complain(error, ExitCode.USAGE)
    if "cluster" in sys.modules:
        from cluster import HostError

        if isinstance(error, HostError):
            return complain(error, ExitCode.BROKEN)
    if isinstance(error, OSError) and error.filename is not None:
        return complain(f"{error.filename}: {error.strerror or error}", ExitCode.USAGE)
    if isinstance(error, MemoryError):
        return complain(
            "out of memory; try a smaller history, or --memory-limit to get an answer before that",
            ExitCode.BROKEN,
        )
    return complain(
        f"this is a defect of momus: {type(error).__name__}: {error}; "
        "try again with MOMUS_TRACEBACK=1 and report what it prints",
        ExitCode.BROKEN,
    )


def _fall_silent() -> int:
    """Whoever read our output has gone (``momus list | head -1``); that is their right.

    Standard output is pointed at nothing, since Python would complain once more at exit.
    """
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    return 128 + 13  # as if by SIGPIPE, which is what a shell expects
