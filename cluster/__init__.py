"""Where it happens: hosts, the systems under test on them, their clients, the undo journal."""

from cluster._etcd import Etcd, etcd_binary
from cluster._heal import Healed, heal, host_from_spec, journals
from cluster._host import Completed, Daemon, Host, HostError, HostKind, HostSpec, Unsupported
from cluster._http import BadResponse, Connection, NotSent, Response
from cluster._journal import JOURNAL_NAME, Entry, Journal
from cluster._labfile import LabFileError, SshSettings, read_lab
from cluster._local import LocalHost, free_port, local
from cluster._namespaces import NamespaceHost, namespaces
from cluster._ssh import SshHost, ssh
from cluster._system import Client, HasPrimaries, Observable, System
from cluster._toxiproxy import ProxyState, Toxic, Toxiproxy, ToxiproxyError

__all__ = [
    "JOURNAL_NAME",
    "BadResponse",
    "Client",
    "Completed",
    "Connection",
    "Daemon",
    "Entry",
    "Etcd",
    "HasPrimaries",
    "Healed",
    "Host",
    "HostError",
    "HostKind",
    "HostSpec",
    "Journal",
    "LabFileError",
    "LocalHost",
    "NamespaceHost",
    "NotSent",
    "Observable",
    "ProxyState",
    "Response",
    "SshHost",
    "SshSettings",
    "System",
    "Toxic",
    "Toxiproxy",
    "ToxiproxyError",
    "Unsupported",
    "etcd_binary",
    "free_port",
    "heal",
    "host_from_spec",
    "journals",
    "local",
    "namespaces",
    "read_lab",
    "ssh",
]
