"""A client for the HTTP API of Toxiproxy.

Shopify's toxiproxy-server and our own `cluster.proxy` speak it alike.  A *proxy* listens
and leads to one upstream; a *toxic* on it troubles one stream of its connections: what
clients send ("upstream") or what they are sent ("downstream").  Kinds and attributes:

    latency     latency, jitter (ms)           slicer      average_size, size_variation
    bandwidth   rate (KB/s)                                (bytes), delay (µs)
    slow_close  delay (ms)                     limit_data  bytes
    timeout     timeout (ms; 0: never)         reset_peer  timeout (ms)

"down" is no toxic: it is a proxy whose `enabled` is False.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import quote

import msgspec

from cluster._http import BadResponse, Connection, Response

_TIMEOUT_S: Final = 10.0
Stream: TypeAlias = Literal["upstream", "downstream"]


class ToxiproxyError(Exception):
    """The server refused an order; `status` is the HTTP status (404 unknown, 409 exists)."""

    def __init__(self, what: str, status: int, message: str) -> None:
        super().__init__(f"the proxy server refused {what}: {message} (HTTP {status})")
        self.status = status
        self.message = message


@dataclass(frozen=True)
class Toxic:
    """One trouble on one stream; `toxicity` is the share of connections that suffer it.

    Without a name the server calls it ``<type>_<stream>``.
    """

    type: str
    attributes: Mapping[str, int] = field(default_factory=dict)
    stream: Stream = "downstream"
    toxicity: float = 1.0
    name: str = ""


@dataclass(frozen=True)
class ProxyState:
    """A proxy as the server tells of it; addresses are ``host:port``."""

    name: str
    listen: str
    upstream: str
    enabled: bool = True
    toxics: tuple[Toxic, ...] = ()


class Toxiproxy:
    """Orders to one server, over one connection.

    Every method raises `ToxiproxyError` where the server refuses, and `OSError` where it
    cannot be asked (`NotSent`: it certainly did nothing).
    """

    def __init__(self, connection: Connection, timeout_s: float = _TIMEOUT_S) -> None:
        self._connection = connection
        self._timeout_s = timeout_s

    async def version(self) -> str:
        """The server's version."""
        response = await self._connection.get("/version", timeout_s=self._timeout_s)
        if response.status != 200:
            raise _refusal("version", response)
        # Newer servers answer {"version": "..."}.
        text = response.body.decode("utf-8", "replace").strip()
        return str(msgspec.json.decode(text)["version"]) if text.startswith("{") else text

    async def proxies(self) -> dict[str, ProxyState]:
        """All proxies, by name."""
        told = await self._get("/proxies")
        return {name: _proxy(each) for name, each in told.items()}

    async def proxy(self, name: str) -> ProxyState:
        """One proxy."""
        return _proxy(await self._get(_path(name)))

    async def create(
        self, name: str, listen: str, upstream: str, *, enabled: bool = True
    ) -> ProxyState:
        """Make a proxy; `listen` may have port 0, then the answer says which it is."""
        body = {"name": name, "listen": listen, "upstream": upstream, "enabled": enabled}
        return _proxy(await self._post("/proxies", body))

    async def populate(self, proxies: Iterable[ProxyState]) -> list[ProxyState]:
        """Make these proxies; those that are there already, unchanged, are left alone."""
        body = [
            {"name": p.name, "listen": p.listen, "upstream": p.upstream, "enabled": p.enabled}
            for p in proxies
        ]
        told = await self._post("/populate", body)
        return [_proxy(each) for each in told["proxies"]]

    async def update(
        self,
        name: str,
        *,
        enabled: bool | None = None,
        listen: str | None = None,
        upstream: str | None = None,
    ) -> ProxyState:
        """Change a proxy.  A new address ends its connections; so does `enabled` = False."""
        given = {"enabled": enabled, "listen": listen, "upstream": upstream}
        body = {key: value for key, value in given.items() if value is not None}
        return _proxy(await self._post(_path(name), body))

    async def delete(self, name: str) -> None:
        """End a proxy and its connections."""
        await self._delete(_path(name))

    async def toxics(self, proxy: str) -> list[Toxic]:
        """The toxics of a proxy, those on the upstream first, each stream's in order."""
        return [_toxic(each) for each in await self._get(_path(proxy, "toxics"))]

    async def add(self, proxy: str, toxic: Toxic) -> Toxic:
        """Put a toxic behind those that are on its stream; returns it with its name."""
        body = {
            "name": toxic.name,
            "type": toxic.type,
            "stream": toxic.stream,
            "toxicity": toxic.toxicity,
            "attributes": dict(toxic.attributes),
        }
        return _toxic(await self._post(_path(proxy, "toxics"), body))

    async def change(
        self,
        proxy: str,
        name: str,
        attributes: Mapping[str, int],
        *,
        toxicity: float | None = None,
    ) -> Toxic:
        """Change some attributes of a toxic, and its toxicity if given."""
        body: dict[str, Any] = {"attributes": dict(attributes)}
        if toxicity is not None:
            body["toxicity"] = toxicity
        return _toxic(await self._post(_path(proxy, "toxics", name), body))

    async def remove(self, proxy: str, name: str) -> None:
        """Take a toxic away; that of a "timeout" ends the connections it had swallowed from."""
        await self._delete(_path(proxy, "toxics", name))

    async def reset(self) -> None:
        """Enable all proxies and take all toxics away."""
        response = await self._connection.post("/reset", b"", timeout_s=self._timeout_s)
        if response.status != 204:
            raise _refusal("reset", response)

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def _get(self, path: str) -> Any:
        return _decoded(path, await self._connection.get(path, timeout_s=self._timeout_s))

    async def _post(self, path: str, body: Any) -> Any:
        data = msgspec.json.encode(body)
        response = await self._connection.post(path, data, timeout_s=self._timeout_s)
        return _decoded(path, response)

    async def _delete(self, path: str) -> None:
        response = await self._connection.delete(path, timeout_s=self._timeout_s)
        if response.status != 204:
            raise _refusal(path, response)


def _path(*parts: str) -> str:
    return "/".join(["/proxies", *(quote(part, safe="") for part in parts)])


def _decoded(what: str, response: Response) -> Any:
    if response.status not in (200, 201):
        raise _refusal(what, response)
    try:
        return msgspec.json.decode(response.body)
    except msgspec.DecodeError as error:
        raise BadResponse(f"no JSON from the proxy server: {response.body[:100]!r}") from error


def _refusal(what: str, response: Response) -> ToxiproxyError:
    try:
        message = str(msgspec.json.decode(response.body)["error"])
    except (msgspec.DecodeError, KeyError, TypeError):
        message = response.body[:200].decode("utf-8", "replace").strip() or "no reason given"
    return ToxiproxyError(what, response.status, message)


def _proxy(told: Mapping[str, Any]) -> ProxyState:
    toxics = tuple(_toxic(each) for each in told.get("toxics") or ())
    return ProxyState(told["name"], told["listen"], told["upstream"], told["enabled"], toxics)


def _toxic(told: Mapping[str, Any]) -> Toxic:
    return Toxic(
        told["type"], told.get("attributes") or {}, told["stream"], told["toxicity"], told["name"]
    )
