"""Carrying a run out, step by step, so that no trouble in one step costs another.

Some steps a run cannot do without (raise the lab, set the system up, the load): when one
fails, the run is broken, and everything after the load still happens.  The others (heal,
collect logs, tear down) are done as well as possible; what fails is remembered as trouble
and told at the end.  Every step has a timeout, and a signal reaches whichever is going on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from momus._exits import Broken, one_line
from momus._interrupt import Interrupts

T = TypeVar("T")

_log = logging.getLogger("momus.run")


class CutShort(Exception):
    """A signal ended this step."""


@dataclass
class Steps:
    """The steps of one run; `troubles` are those that failed without breaking it."""

    interrupts: Interrupts
    troubles: list[str] = field(default_factory=list)

    async def must(
        self, what: str, step: Coroutine[Any, Any, T], timeout_s: float, *, at_signal: int = 1
    ) -> T:
        """Do what the run cannot do without.

        Raises `Broken` if it fails, and `CutShort` if signal number `at_signal` came.
        """
        try:
            return await self._step(what, step, timeout_s, at_signal)
        except (CutShort, Broken):
            raise
        except Exception as error:
            _log.error("could not %s", what, exc_info=error)
            raise Broken(f"could not {what}: {_reason(error)}") from error

    async def should(self, what: str, step: Coroutine[Any, Any, T], timeout_s: float) -> T | None:
        """Do what is wanted; None, and a trouble, if it fails."""
        try:
            return await self._step(what, step, timeout_s, self.interrupts.count + 1)
        except CutShort:
            self.trouble(f"was told not to {what}")
        except Broken as error:
            self.trouble(str(error))
        except Exception as error:
            _log.warning("could not %s", what, exc_info=error)
            self.trouble(f"could not {what}: {_reason(error)}")
        return None

    def trouble(self, text: str) -> None:
        """Remember what went wrong without breaking the run."""
        _log.warning("%s", text)
        self.troubles.append(one_line(text))

    async def _step(self, what: str, step: Coroutine[Any, Any, T], timeout_s: float, at: int) -> T:
        _log.info("%s", what)
        if self.interrupts.count >= at:
            step.close()
            raise CutShort(what)
        task = asyncio.create_task(step)
        with self.interrupts.cancelling(task, at):
            done, _ = await asyncio.wait({task}, timeout=timeout_s)
        if not done:
            task.cancel()
            await asyncio.wait({task}, timeout=timeout_s)
            raise Broken(f"could not {what} within {timeout_s:g} s")
        if task.cancelled():
            raise CutShort(what)
        return task.result()


def _reason(error: BaseException) -> str:
    text = str(error)
    return text if text else type(error).__name__
