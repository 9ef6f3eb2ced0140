"""The orders: Toxiproxy's HTTP API over a collection of proxies.

    GET  /version                          POST /reset, POST /populate
    GET  /proxies                          POST /proxies
    GET  /proxies/NAME                     POST, DELETE /proxies/NAME
    GET  /proxies/NAME/toxics              POST /proxies/NAME/toxics
    GET  /proxies/NAME/toxics/TOXIC        POST, DELETE /proxies/NAME/toxics/TOXIC

It has no notion of users, as Toxiproxy's has none: who reaches the port may order.  So it
listens on loopback unless told otherwise, and does not answer browsers, through which a
web page might reach it.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from random import Random
from typing import Any, Final
from urllib.parse import unquote

from cluster.proxy._http import Answer, Refused, Request
from cluster.proxy._link import Worn
from cluster.proxy._proxies import STREAMS, Proxy
from cluster.proxy._toxics import KINDS, BadAttributes, with_attributes

VERSION: Final = "2.5.0-momus"
"""The version of Toxiproxy whose API this is."""
PROXIES_MAX: Final = 1000
TOXICS_MAX: Final = 100
"""Of one proxy."""


class Api:
    """The proxies by name, and what can be ordered of them."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._proxies: dict[str, Proxy] = {}
        self._one_at_a_time = asyncio.Lock()

    async def answer(self, request: Request) -> Answer:
        """Carry out a request; raises `Refused`, or `OSError` where a port is taken."""
        if request.agent.startswith("Mozilla/"):
            raise Refused("User agent not allowed", 403)
        parts = [unquote(part) for part in request.path.partition("?")[0].strip("/").split("/")]
        async with self._one_at_a_time:
            match request.method, *parts:
                case "GET", "version":
                    return 200, VERSION
                case "POST", "reset":
                    return await self._reset()
                case "POST", "populate":
                    return await self._populate(request.json())
                case "GET", "proxies":
                    return 200, {name: _told(proxy) for name, proxy in self._proxies.items()}
                case "POST", "proxies":
                    return await self._create(request.json())
                case method, "proxies", name:
                    return await self._on_proxy(method, self._proxy(name), request)
                case method, "proxies", name, "toxics":
                    return await self._on_toxics(method, self._proxy(name), request)
                case method, "proxies", name, "toxics", toxic:
                    return await self._on_toxic(method, self._proxy(name), toxic, request)
        raise Refused(f"there is no {request.method} {request.path}", 404)

    async def close(self) -> None:
        """End all proxies."""
        for proxy in self._proxies.values():
            await proxy.disable()

    async def _reset(self) -> Answer:
        for proxy in self._proxies.values():
            await proxy.enable()
            for worn in list(proxy.worn):
                await proxy.shed(worn)
        return 204, None

    async def _create(self, given: Any) -> Answer:
        name, listen, upstream, enabled = _settings(given, "")
        if name in self._proxies:
            raise Refused("proxy already exists", 409)
        if len(self._proxies) >= PROXIES_MAX:
            raise Refused(f"there are {PROXIES_MAX} proxies already", 409)
        proxy = Proxy(name, listen, upstream, self._random)
        if enabled:
            await proxy.enable()
        self._proxies[name] = proxy
        return 201, _told(proxy)

    async def _populate(self, given: Any) -> Answer:
        """Make each proxy there is not yet; replace those that lead elsewhere now."""
        if not isinstance(given, list) or len(given) > PROXIES_MAX:
            raise Refused(f"bad request body: a list of at most {PROXIES_MAX} proxies", 400)
        wanted = [
            _settings(each, f" at proxy {number}") for number, each in enumerate(given, start=1)
        ]
        told = []
        for name, listen, upstream, enabled in wanted:
            proxy = self._proxies.get(name)
            if proxy is None or (proxy.listen, proxy.upstream) != (listen, upstream):
                if proxy is not None:
                    await proxy.disable()
                proxy = Proxy(name, listen, upstream, self._random)
                if enabled:
                    await proxy.enable()
                self._proxies[name] = proxy
            told.append(_told(proxy))
        return 201, {"proxies": told}

    async def _on_proxy(self, method: str, proxy: Proxy, request: Request) -> Answer:
        match method:
            case "GET":
                return 200, _told(proxy)
            case "POST":
                given = {
                    "listen": proxy.listen,
                    "upstream": proxy.upstream,
                    "enabled": proxy.enabled,
                    **_object(request.json()),
                    "name": proxy.name,
                }
                _, listen, upstream, enabled = _settings(given, "")
                if (listen, upstream) != (proxy.listen, proxy.upstream):
                    await proxy.disable()
                    proxy.listen, proxy.upstream = listen, upstream
                await (proxy.enable() if enabled else proxy.disable())
                return 200, _told(proxy)
            case "DELETE":
                await proxy.disable()
                del self._proxies[proxy.name]
                return 204, None
        raise _not_allowed(method)

    async def _on_toxics(self, method: str, proxy: Proxy, request: Request) -> Answer:
        match method:
            case "GET":
                return 200, _toxics(proxy)
            case "POST":
                worn = _new_toxic(_object(request.json()))
                if any(each.name == worn.name for each in proxy.worn):
                    raise Refused("toxic already exists", 409)
                if len(proxy.worn) >= TOXICS_MAX:
                    raise Refused(f"the proxy has {TOXICS_MAX} toxics already", 409)
                await proxy.wear(worn)
                return 200, _toxic(worn)
        raise _not_allowed(method)

    async def _on_toxic(self, method: str, proxy: Proxy, name: str, request: Request) -> Answer:
        worn = next((each for each in proxy.worn if each.name == name), None)
        if worn is None:
            raise Refused("toxic not found", 404)
        match method:
            case "GET":
                return 200, _toxic(worn)
            case "POST":
                given = _object(request.json())
                _set(worn, given)
                await proxy.adjust(worn)
                return 200, _toxic(worn)
            case "DELETE":
                await proxy.shed(worn)
                return 204, None
        raise _not_allowed(method)

    def _proxy(self, name: str) -> Proxy:
        try:
            return self._proxies[name]
        except KeyError:
            raise Refused("proxy not found", 404) from None


def _settings(given: Any, where: str) -> tuple[str, str, str, bool]:
    """Name, listen, upstream and enabled of a proxy in JSON."""
    settings = _object(given)
    found = [settings.get(key, "") for key in ("name", "listen", "upstream")]
    enabled = settings.get("enabled", True)
    if not all(isinstance(each, str) for each in found) or not isinstance(enabled, bool | None):
        raise Refused("bad request body: name, listen, upstream are strings, enabled a bool", 400)
    name, listen, upstream = found
    for key, value in (("name", name), ("upstream", upstream)):
        if not value:
            raise Refused(f"missing required field: {key}{where}", 400)
    return name, listen, upstream, enabled is not False


def _new_toxic(given: dict[str, Any]) -> Worn:
    stream = str(given.get("stream", STREAMS[1])).lower()
    if stream not in STREAMS:
        raise Refused("stream was invalid, can be either upstream or downstream", 400)
    kind = KINDS.get(str(given.get("type")))
    if kind is None:
        raise Refused("invalid toxic type", 400)
    name = given.get("name") or f"{kind.type}_{stream}"
    worn = Worn(str(name), stream, kind(), 1.0)
    _set(worn, given)
    return worn


def _set(worn: Worn, given: dict[str, Any]) -> None:
    toxicity = given.get("toxicity", worn.toxicity)
    if isinstance(toxicity, bool) or not isinstance(toxicity, int | float):
        raise Refused("bad request body: toxicity must be a number", 400)
    try:
        worn.toxic = with_attributes(worn.toxic, given.get("attributes"))
    except BadAttributes as error:
        raise Refused(f"bad request body: {error}", 400) from error
    worn.toxicity = toxicity


def _object(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise Refused("bad request body: it must be an object", 400)
    return given


def _told(proxy: Proxy) -> dict[str, Any]:
    return {
        "name": proxy.name,
        "listen": proxy.listen,
        "upstream": proxy.upstream,
        "enabled": proxy.enabled,
        "toxics": _toxics(proxy),
    }


def _toxics(proxy: Proxy) -> list[dict[str, Any]]:
    return [_toxic(worn) for stream in STREAMS for worn in proxy.worn if worn.stream == stream]


def _toxic(worn: Worn) -> dict[str, Any]:
    return {
        "attributes": asdict(worn.toxic),
        "name": worn.name,
        "type": worn.toxic.type,
        "stream": worn.stream,
        "toxicity": worn.toxicity,
    }


def _not_allowed(method: str) -> Refused:
    return Refused(f"{method} is not allowed here", 405)
