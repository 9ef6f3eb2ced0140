"""A member's seat: at which addresses it listens, and with which arguments it is started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from cluster._front import Route
from cluster._host import Host

CLIENT_PORT: Final = 2379
PEER_PORT: Final = 2380
ROUTES: Final = (
    Route("client", CLIENT_PORT, 12379, b"GET /version HTTP/1.1\r\nHost: etcd\r\n\r\n"),
    Route("peer", PEER_PORT, 12380, b"GET /version HTTP/1.1\r\nHost: etcd\r\n\r\n"),
)
_SLOWER: Final = 1.5


@dataclass(frozen=True)
class Seat:
    """How a host's member is started.

    `cluster` are the members it is told of, `state` whether they are all as new as it is.
    `program` is the number of the program, and `reloaded` members have slower heartbeats.
    """

    cluster: str
    state: Literal["new", "existing"] = "new"
    program: int = 0
    reloaded: bool = False

    def times(self, heartbeat_ms: int, election_ms: int) -> tuple[str, str]:
        """The arguments for heartbeats and elections."""
        slower = _SLOWER if self.reloaded else 1.0
        return (
            f"--heartbeat-interval={round(slower * heartbeat_ms)}",
            f"--election-timeout={round(slower * election_ms)}",
        )

    def arguments(self, host: Host, *, token: str, data: str, hidden: bool) -> list[str]:
        """All other arguments; with `hidden` ports something else listens on the public ones."""
        ports = [route.hidden if hidden else route.public for route in ROUTES]
        listen_client, listen_peer = (f"http://{host.address}:{host.port(port)}" for port in ports)
        arguments = {
            "name": host.name,
            "data-dir": data,
            "listen-client-urls": listen_client,
            "advertise-client-urls": _url(host, CLIENT_PORT),
            "listen-peer-urls": listen_peer,
            "initial-advertise-peer-urls": peer_url(host),
            "initial-cluster": self.cluster,
            "initial-cluster-state": self.state,
            "initial-cluster-token": token,
            "logger": "zap",
            "log-outputs": "stderr",
        }
        return [f"--{key}={value}" for key, value in arguments.items()]


def peer_url(host: Host) -> str:
    """Where other members reach the member on this host; its name in member lists."""
    return _url(host, PEER_PORT)


def _url(host: Host, port: int) -> str:
    return f"http://{host.address}:{host.port(port)}"
