"""Which client of etcd a workload means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from cluster._etcd_client import Connect, EtcdClient, EtcdRegister, EtcdSet, Reads
from cluster._etcd_locks import EtcdLock
from cluster._etcd_transactions import EtcdBank, EtcdCounter, EtcdIds, EtcdLog
from cluster._etcd_watches import EtcdWatch

_KINDS: Final[Mapping[str, type[EtcdClient]]] = {
    "register": EtcdRegister,
    "set": EtcdSet,
    "unique-ids": EtcdIds,
    "counter": EtcdCounter,
    "bank": EtcdBank,
    "lock": EtcdLock,
    "log": EtcdLog,
    "watch": EtcdWatch,
}


def client_of(
    connect: Connect, workload: str, reads: Reads, timeout_s: float, **options: Any
) -> EtcdClient:
    """A client, not yet open; raises `ValueError` for what there is not."""
    if workload not in _KINDS or reads not in get_args(Reads):
        raise ValueError(
            f"no etcd client for workload {workload!r} with {reads!r} reads; there are "
            f"{', '.join(_KINDS)}; {' and '.join(get_args(Reads))}"
        )
    unknown = [name for name in options if (workload, name) != ("bank", "accounts")]
    if unknown:
        raise ValueError(f"unknown options of the etcd client: {', '.join(unknown)}")
    return _KINDS[workload](connect, reads, timeout_s, **options)
