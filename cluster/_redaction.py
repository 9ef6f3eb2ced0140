"""Commands as they may be shown: in errors, logs and reports, without their secrets.

momus itself has no passwords, but the systems that it starts may take one as an argument or
in their environment.  What looks like a secret by its name is left out.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Final

_CHARACTERS_MAX: Final = 200
_SECRET: Final = r"(?i:pass(word|wd|phrase)?|secret|token|credentials?|api[-_]?key|private[-_]?key)"
_SETTING: Final = re.compile(rf"([\w.-]*{_SECRET}[\w.-]*=).+", re.DOTALL)
_OPTION: Final = re.compile(rf"-{{1,2}}[\w.-]*{_SECRET}")
_URL: Final = re.compile(r"(\w+://[^/@:\s]*:)[^/@\s]+@")
_HIDDEN: Final = "***"


def spoken(argv: Sequence[str]) -> str:
    """A command in one line of bounded length, its secrets hidden and its scripts left out."""
    words: list[str] = []
    hide = False
    for word in argv:
        if hide:
            words.append(_HIDDEN)
            hide = False
            continue
        hide = _OPTION.fullmatch(word) is not None
        if "\n" in word and not _SETTING.match(word):
            words.append("...")
        else:
            words.append(_URL.sub(rf"\1{_HIDDEN}@", _SETTING.sub(rf"\1{_HIDDEN}", word)))
    text = shlex.join(words).replace(f"'{_HIDDEN}'", _HIDDEN)
    return text if len(text) <= _CHARACTERS_MAX else text[: _CHARACTERS_MAX - 3] + "..."
