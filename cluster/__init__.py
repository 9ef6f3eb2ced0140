"""Where it happens: hosts, the systems under test on them, their clients, the undo journal."""

from cluster._command import CommandHost
from cluster._disk import FaultyDisk
from cluster._etcd import Etcd
from cluster._etcd_locks import LEASE_S as ETCD_LEASE_S
from cluster._etcd_program import etcd_binary
from cluster._faked_clock import FakedClock
from cluster._front import ProxyFront, Route
from cluster._heal import Healed, heal, host_from_spec, journals
from cluster._host import (
    Completed,
    Daemon,
    Host,
    HostError,
    HostKind,
    HostSpec,
    Progress,
    Unsupported,
)
from cluster._http import BadResponse, Connection, NotSent, Response
from cluster._journal import JOURNAL_NAME, Entry, Journal
from cluster._labfile import (
    ForeignSettings,
    LabFileError,
    Settings,
    SshSettings,
    hosts_at,
    read_hosts,
    read_lab,
)
from cluster._local import LocalHost, free_port, local
from cluster._namespaces import NamespaceHost, namespaces
from cluster._observer import ROUNDS_HZ_MAX, Observer
from cluster._posix import PosixHost
from cluster._ssh import SshHost, ssh
from cluster._standing import NotALab, StandingLab, lab_down, lab_up
from cluster._system import (
    Client,
    Clocked,
    Fronted,
    HasDisk,
    HasMembership,
    HasPrimaries,
    Membership,
    Observable,
    Reloadable,
    System,
    Telling,
    TellsTime,
    Upgradable,
)
from cluster._toxiproxy import ProxyState, Toxic, Toxiproxy, ToxiproxyError
from cluster._transports import Transport, host_at, lab, refuse_impossible

__all__ = [
    "ETCD_LEASE_S",
    "JOURNAL_NAME",
    "ROUNDS_HZ_MAX",
    "BadResponse",
    "Client",
    "Clocked",
    "CommandHost",
    "Completed",
    "Connection",
    "Daemon",
    "Entry",
    "Etcd",
    "FakedClock",
    "FaultyDisk",
    "ForeignSettings",
    "Fronted",
    "HasDisk",
    "HasMembership",
    "HasPrimaries",
    "Healed",
    "Host",
    "HostError",
    "HostKind",
    "HostSpec",
    "Journal",
    "LabFileError",
    "LocalHost",
    "Membership",
    "NamespaceHost",
    "NotALab",
    "NotSent",
    "Observable",
    "Observer",
    "PosixHost",
    "Progress",
    "ProxyFront",
    "ProxyState",
    "Reloadable",
    "Response",
    "Route",
    "Settings",
    "SshHost",
    "SshSettings",
    "StandingLab",
    "System",
    "Telling",
    "TellsTime",
    "Toxic",
    "Toxiproxy",
    "ToxiproxyError",
    "Transport",
    "Unsupported",
    "Upgradable",
    "etcd_binary",
    "free_port",
    "heal",
    "host_at",
    "host_from_spec",
    "hosts_at",
    "journals",
    "lab",
    "lab_down",
    "lab_up",
    "local",
    "namespaces",
    "read_hosts",
    "read_lab",
    "refuse_impossible",
    "ssh",
]
