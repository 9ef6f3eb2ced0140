"""What it means: every checker maps a history to a verdict."""

from checker._certificate import verify
from checker._linearizable import ALGORITHMS, linearizable
from checker._model import ILLEGAL, Call, Illegal, Model, ModelError
from checker._registers import MODELS, cas_register, kv, register
from checker._sets import grow_only_set
from checker._verdict import (
    Counterexample,
    Linearization,
    Unknown,
    Valid,
    Verdict,
    merge_valid,
)

__all__ = [
    "ALGORITHMS",
    "ILLEGAL",
    "MODELS",
    "Call",
    "Counterexample",
    "Illegal",
    "Linearization",
    "Model",
    "ModelError",
    "Unknown",
    "Valid",
    "Verdict",
    "cas_register",
    "grow_only_set",
    "kv",
    "linearizable",
    "merge_valid",
    "register",
    "verify",
]
