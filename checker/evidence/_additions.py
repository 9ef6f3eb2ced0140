"""What was put in, element by element: attempted, acknowledged, certainly not done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from checker.evidence._checker import NEVER, Operations, Times, operations
from histories import FAIL, History


@dataclass(frozen=True)
class Additions:
    """Operations that put elements in, and per element, columns of shape `(count,)`:

    `attempted` is when the first attempt began that did not certainly fail, `acknowledged`
    when the first one was told to have happened; both are `NEVER` where there is none.
    `element` is the number of the element of each operation, shape `(n_operations,)`.
    """

    ops: Operations
    element: npt.NDArray[np.int64]
    attempted: Times
    acknowledged: Times

    def events(self, element: int) -> list[int]:
        """The invocations and completions of the operations that put this element in."""
        mine = self.element == element
        found = [*self.ops.invoked[mine].tolist(), *self.ops.completed[mine].tolist()]
        return sorted(position for position in found if position >= 0)


def additions(history: History, count: int, *names: str) -> Additions:
    """The operations of these names, of elements with numbers below `count`.

    An element is the argument of the invocation: what the completion says may be an answer.
    Raises `ValueError` where null is put in.
    """
    ops = operations(history, *names)
    element = history.value[ops.invoked].astype(np.int64)
    if len(element) and element.min() < 0:
        where = int(history.index[ops.invoked[int(element.argmin())]])
        raise ValueError(f"event {where}: {names[0]} of null; elements are values other than null")
    attempted, acknowledged = (np.full(count, NEVER) for _ in range(2))
    tried = ops.outcome != FAIL
    np.minimum.at(attempted, element[tried], ops.begin[tried])
    np.minimum.at(acknowledged, element[ops.ok], ops.end[ops.ok])
    return Additions(ops, element, attempted, acknowledged)


def grouped(numbers: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """The order that sorts these numbers (0 <= number < 2**32) and keeps equal ones in order.

    Two rounds of numpy's radix sort of 16 bits, which takes linear time.
    """
    order = np.argsort((numbers & 0xFFFF).astype(np.uint16), kind="stable")
    high = (numbers >> 16).astype(np.uint16)
    if not high.any():
        return order
    return order[np.argsort(high[order], kind="stable")]
