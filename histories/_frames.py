"""Histories for pandas and networkx."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from histories._flaws import HistoryError

if TYPE_CHECKING:
    import networkx as nx
    import numpy.typing as npt
    import pandas as pd

    from histories._history import History
    from histories._texts import Texts

GRAPH_OPERATIONS_MAX: Final = 20_000


def frame_of(history: History) -> pd.DataFrame:
    """Columns `index` to `node` as in the file format, and `pair` (the partner's row, or -1).

    `type`, `f` and `node` are categories; `key`, `value` and `error` hold decoded values.
    """
    import pandas as pd

    from histories._history import TYPES

    names = np.array([*history.process_names[::-1], 0], dtype=object)
    process: npt.NDArray[Any] = history.process
    if (process < 0).any():
        named = names[np.minimum(process, 0) - 1]
        process = np.where(process < 0, named, process.astype(object))
    return pd.DataFrame(
        {
            "index": history.index,
            "time": history.time,
            "process": process,
            "type": _category(history.type.astype(np.int8), TYPES),
            "f": _category(history.f, history.f_names),
            "key": _decoded(history.key, history.keys),
            "value": _decoded(history.value, history.values),
            "error": _decoded(history.error, history.errors),
            "node": _category(history.node, history.node_names),
            "pair": history.pairs,
        }
    )


def _category(codes: npt.NDArray[Any], names: Sequence[str]) -> pd.Categorical[str]:
    import pandas as pd

    return pd.Categorical.from_codes(codes, pd.Index(list(names), dtype=object))


def _decoded(codes: npt.NDArray[np.int32], texts: Texts) -> npt.NDArray[Any]:
    table = np.empty(len(texts) + 1, dtype=object)
    for code in np.unique(codes).tolist():
        table[code] = texts.decoded(code)
    decoded: npt.NDArray[Any] = table[codes]
    return decoded


def graph_of(history: History) -> nx.DiGraph[int]:
    """The real-time order of the client operations, transitively reduced.

    Nodes are the rows of invocations, with the attributes `f`, `key`, `value` (as invoked),
    `type` (how it completed; "info" if never), `result` and `process`.  An edge says that
    one operation completed before the other was invoked, with none wholly between them.
    Raises `HistoryError` beyond 20,000 operations: slice the history first.
    """
    import networkx as nx

    graph: nx.DiGraph[int] = nx.DiGraph()
    invoked = np.flatnonzero((history.type == 0) & (history.process >= 0))
    if len(invoked) > GRAPH_OPERATIONS_MAX:
        raise HistoryError(
            f"a graph of {len(invoked)} operations; the limit is {GRAPH_OPERATIONS_MAX}, "
            "take a slice (`for_key`, `between`) first"
        )
    pairs = history.pairs[invoked]
    for row, partner in zip(invoked.tolist(), pairs.tolist(), strict=True):
        event = history[row]
        end = history[partner] if partner >= 0 else None
        graph.add_node(
            row,
            f=event.f,
            key=event.key,
            value=event.value,
            type=end.type if end else "info",
            result=end.value if end else None,
            process=event.process,
        )
    begin = history.time[invoked]
    done = (pairs >= 0) & (history.type[pairs] != 3)
    end_time = np.where(done, history.time[pairs], np.iinfo(np.int64).max)
    for later, start in enumerate(begin.tolist()):
        before = np.flatnonzero(end_time < start)
        if len(before):
            nearest = before[end_time[before] >= begin[before].max()]
            graph.add_edges_from((int(invoked[b]), int(invoked[later])) for b in nearest)
    return graph
