"""Certificates in a file: who says that which history is valid, and why.

One JSON object: the history's name, size and digest, the model by name, the initial value,
and for each key the indexes of the invocations in their order, and the instant at which each
operation took effect, in the time of the events.  The digest is of the
events, not of the file, so a history that was converted to another format keeps its
certificate.  Nothing in the file is trusted: `refusal` reads it, and `verify` decides.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from itertools import islice
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np

from checker._certificate import points, verify
from checker._model import ModelError
from checker._models import MODELS
from checker._sequential_order import verify_sequential
from checker._verdict import Linearization
from histories import History, HistoryError, Json

_CHUNK_EVENTS: Final = 65_536

_Index = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
_Instant = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class _Of(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    events: int
    digest: str


class _Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: Json
    order: list[_Index]
    points: list[_Instant]


class Certificate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    momus: Literal["certificate"]
    version: Literal[2]
    history: _Of
    model: str
    initial: Json
    keys: list[_Key]
    consistency: Literal["linearizable", "sequential"] = "linearizable"


def certificate(
    history: History,
    model: str,
    initial: Json,
    linearizations: Sequence[Linearization],
    consistency: str = "linearizable",
) -> bytes:
    """The text of the file that proves `history` valid; `model` is one of `MODELS`.

    For sequential consistency there is one order of all keys, without points in time.
    """
    assert model in MODELS, f"the model {model} cannot be named in a file"
    of = _Of(history.source or "", len(history), _digest(history))
    if consistency == "sequential":
        keys = [_Key(None, found.order.tolist(), []) for found in linearizations]
        made = Certificate("certificate", 2, of, model, initial, keys, "sequential")
        return msgspec.json.encode(made) + b"\n"
    keys = [
        _Key(found.key, found.order.tolist(), points(history, found).tolist())
        for found in linearizations
    ]
    made = Certificate("certificate", 2, of, model, initial, keys)
    return msgspec.json.encode(made) + b"\n"


def read_certificate(path: str | os.PathLike[str]) -> Certificate:
    """Raises `HistoryError` where the file is not a certificate."""
    shown = os.fspath(path)
    try:
        with open(shown, "rb") as stream:
            return msgspec.json.decode(stream.read(), type=Certificate)
    except OSError as error:
        raise HistoryError(
            f"cannot be read ({error.strerror or error}); check the path", path=shown
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HistoryError(
            f"not a certificate ({error}); write one with `momus check --certificate`",
            path=shown,
        ) from error


def refusal(history: History, proof: Certificate) -> str | None:
    """Why the certificate does not prove that the history is valid; None if it does."""
    if len(history) != proof.history.events:
        return f"it is about a history of {proof.history.events} events, not of {len(history)}"
    if _digest(history) != proof.history.digest:
        return "it is about another history: the digests differ"
    if proof.model not in MODELS:
        return f"there is no model {proof.model!r}; it must be one of {', '.join(MODELS)}"
    orders = [
        Linearization(each.key, np.array(each.order, np.uint32), np.array(each.points, np.int64))
        for each in proof.keys
    ]
    try:
        if proof.consistency == "sequential":
            order = [index for each in proof.keys for index in each.order]
            return verify_sequential(history, _model(proof.model, proof.initial), order)
        return verify(history, _model(proof.model, proof.initial), orders)
    except (ModelError, TypeError) as error:
        return f"the model {proof.model} does not fit: {error}"


def _model(name: str, initial: Json) -> Any:
    return MODELS[name](initial)


def _digest(history: History) -> str:
    """SHA-256 of the events as lines of momus JSONL, without header and checksum."""
    encode = msgspec.json.Encoder(order="sorted").encode_lines
    digest = hashlib.sha256()
    events = iter(history)
    while chunk := list(islice(events, _CHUNK_EVENTS)):
        digest.update(encode(chunk))
    return f"sha256:{digest.hexdigest()}"
