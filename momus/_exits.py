"""How momus leaves: one number for programs, one sentence for people.

The exit code is part of the contract with CI scripts, so it is decided in this file and
nowhere else.  A user's mistake is a `Refusal`: one line on stderr that says what was
wrong and what to try, never a traceback.  A run that could not be carried out is a
`Broken`: the same line, another code.  Nothing here imports the rest of momus, so that
``momus --help`` stays instant.
"""

from __future__ import annotations

import enum
from typing import Literal

LINE_CHARACTERS_MAX = 2_000
"""A message is one line and stays readable, whatever the input smuggled into it."""


class ExitCode(enum.IntEnum):
    """What the number means; 0, 1 and 3 are verdicts, 2 and 4 say why there is none."""

    VALID = 0
    INVALID = 1
    USAGE = 2
    UNKNOWN = 3
    BROKEN = 4
    INTERRUPTED = 130


class Refusal(Exception):
    """The request or its input cannot be used; the message says why and what to try."""


class Broken(Exception):
    """The run itself broke; the message says what was tried, where, and what to try next."""


def code_of(valid: bool | Literal["unknown"]) -> ExitCode:
    """The exit code of a verdict."""
    if valid is True:
        return ExitCode.VALID
    return ExitCode.INVALID if valid is False else ExitCode.UNKNOWN


def one_line(message: object) -> str:
    """`message` on one line, without control characters, of bounded length."""
    text = " ".join(str(message).split()) or type(message).__name__
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    if len(text) > LINE_CHARACTERS_MAX:
        half = LINE_CHARACTERS_MAX // 2
        text = f"{text[:half]} ... {text[-half:]}"
    return text
