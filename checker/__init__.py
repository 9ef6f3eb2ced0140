"""What it means: every checker maps a history to a verdict."""

from checker import evidence
from checker._bank import bank
from checker._bounded_queue import bounded_queue
from checker._certificate import points, verify
from checker._certificate_file import Certificate, certificate, read_certificate, refusal
from checker._counters import counter
from checker._linearizable import ALGORITHMS, linearizable
from checker._locks import lease, lock, reentrant_lock, semaphore
from checker._log import log
from checker._model import ILLEGAL, Call, Illegal, Model, ModelError
from checker._models import MODELS
from checker._multi_register import multi_register
from checker._nondeterministic import NondeterministicModel
from checker._queues import priority_queue, queue, stack
from checker._registers import cas_register, kv, register
from checker._sequential import sequentially_consistent
from checker._sequential_order import verify_sequential
from checker._set_model import set_model
from checker._sets import grow_only_set, unless_unread
from checker._verdict import (
    Counterexample,
    Linearization,
    Unknown,
    Valid,
    Verdict,
    merge_valid,
)
from checker._versions import versioned_register

__all__ = [
    "ALGORITHMS",
    "ILLEGAL",
    "MODELS",
    "Call",
    "Certificate",
    "Counterexample",
    "Illegal",
    "Linearization",
    "Model",
    "ModelError",
    "NondeterministicModel",
    "Unknown",
    "Valid",
    "Verdict",
    "bank",
    "bounded_queue",
    "cas_register",
    "certificate",
    "counter",
    "evidence",
    "grow_only_set",
    "kv",
    "lease",
    "linearizable",
    "lock",
    "log",
    "merge_valid",
    "multi_register",
    "points",
    "priority_queue",
    "queue",
    "read_certificate",
    "reentrant_lock",
    "refusal",
    "register",
    "semaphore",
    "sequentially_consistent",
    "set_model",
    "stack",
    "unless_unread",
    "verify",
    "verify_sequential",
    "versioned_register",
]
