"""`DnsFailure`: nodes that cannot resolve names any more.

On the targets packets of DNS (UDP and TCP, port 53) are dropped or refused, to every server,
also to a resolver on the host itself.  The answers are dropped rather than the questions, for
a question that a host's own filter drops fails at once, while one without an answer takes
as long as a name server that is down.

What does not need DNS goes on: names in /etc/hosts, and whatever a cache on the host
(systemd-resolved, nscd) still knows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from cluster import Host, HostError, Unsupported
from histories import Json
from nemesis import _name_program
from nemesis import targets as targets_module
from nemesis._debts import UNDO_TIMEOUT_S, ask_each, on_each, to_its_end
from nemesis._fault import Field, Order, Proof, require
from nemesis._filters import Strike, command
from nemesis._of_hosts import OfHosts
from nemesis._programs import ask
from nemesis._strikes import BAR_STRIKE, BEGIN_STRIKE
from nemesis.targets import Target

MODES: Final = ("silent", "refused")
WAYS: Final = ("nft", "iptables")
_PROBE_S: Final = 0.6
_TRIES_MAX: Final = 3

# $1 table, $2 comment, $3 mode ("trial": nothing is dropped).
_NFT_BEGIN: Final = """
table=$1 comment=$2 mode=$3; shift 3
nft add table inet "$table" || exit 1
[ "$mode" != trial ] || mode=silent trial='iifname nobody'
if [ "$mode" = silent ]; then
  nft add chain inet "$table" dns '{ type filter hook input priority -300 ; policy accept ; }' &&
  nft add rule inet "$table" dns $trial udp sport 53 drop comment "\\"$comment\\"" &&
  nft add rule inet "$table" dns $trial tcp sport 53 drop comment "\\"$comment\\"" || exit 1
else
  nft add chain inet "$table" dns '{ type filter hook output priority -300 ; policy accept ; }' &&
  nft add rule inet "$table" dns udp dport 53 reject comment "\\"$comment\\"" &&
  nft add rule inet "$table" dns tcp dport 53 reject with tcp reset \\
    comment "\\"$comment\\"" || exit 1
fi
"""
_NFT_UNDO: Final = """
table=$1; shift 2
if command -v nft >/dev/null; then
  tables=$(nft list tables) || exit 1
  case $tables in *"inet $table"*) nft delete table inet "$table" || exit 1;; esac
fi
"""
_IPTABLES_BEGIN: Final = """
chain=$1 comment=$2 mode=$3; shift 3
from=INPUT port=--sport; [ "$mode" != refused ] || from=OUTPUT port=--dport
for tool in iptables ip6tables; do
  "$tool" -w 5 -S >/dev/null 2>&1 || { [ "$tool" = ip6tables ] && continue; exit 1; }
  trial=; [ "$mode" != trial ] || trial='-i nobody'
  "$tool" -w 5 -N "$chain" || exit 1
  for protocol in udp tcp; do
    set -- -j DROP
    [ "$mode" != refused ] || set -- -j REJECT
    [ "$mode$protocol" != refusedtcp ] || set -- -j REJECT --reject-with tcp-reset
    "$tool" -w 5 -A "$chain" $trial -p "$protocol" "$port" 53 \
      -m comment --comment "$comment" "$@" || exit 1
  done
  "$tool" -w 5 -I "$from" 1 -m comment --comment "$comment" -j "$chain" || exit 1
done
set --
"""
_IPTABLES_UNDO: Final = """
chain=$1 comment=$2; shift 2
for tool in iptables ip6tables; do
  command -v "$tool" >/dev/null || continue
  "$tool" -w 5 -n -L "$chain" >/dev/null 2>&1 || continue
  for from in INPUT OUTPUT; do
    while "$tool" -w 5 -C "$from" -m comment --comment "$comment" -j "$chain" 2>/dev/null; do
      "$tool" -w 5 -D "$from" -m comment --comment "$comment" -j "$chain" || exit 1
    done
  done
  "$tool" -w 5 -F "$chain" && "$tool" -w 5 -X "$chain" || exit 1
done
"""


class DnsFailure(OfHosts):
    """The targets cannot resolve names: DNS gets no answer ("silent"), or is "refused".

    `names` are names that the hosts can resolve, by DNS, before; without any, only packets are
    looked at.  Raises ValueError for other modes.
    """

    lane = "network"
    intact = frozenset({"resolving"})
    broken = frozenset({"unresolved"})

    def __init__(
        self,
        targets: Target | Sequence[Target] = targets_module.one,
        *,
        mode: str = "silent",
        names: Sequence[str] = (),
        system: object = None,
        ways: Sequence[str] = WAYS,
        name: str = "dns-failure",
    ) -> None:
        if mode not in MODES:
            raise ValueError(f"DNS fails {' or '.join(MODES)}, not {mode!r}")
        if isinstance(names, str) or not all(isinstance(each, str) for each in names):
            raise ValueError(f"names are a list of host names, not {names!r}")
        if not ways or set(ways) - set(WAYS):
            raise ValueError(f"ways are {' and '.join(WAYS)}, not {ways!r}")
        super().__init__(name, targets)
        self._mode = mode
        self._names = list(names)
        self._asked = system
        self._candidates = list(ways)
        self._ways: dict[str, str] = {}
        self._struck: set[str] = set()

    def choose(self, nodes: Sequence[str], random: Any, observed: Any) -> Json:
        """The nodes, and how DNS fails there."""
        return {**super().choose(nodes, random, observed), "mode": self._mode}

    async def setup(self, field: Field) -> None:
        """Find a packet filter on every host, and see that names are resolved now."""
        for host in field.hosts.values():
            require(host, "network", self.name)
        await super().setup(field)
        for host in field.hosts.values():
            self._ways[host.name] = await self._find_way(host)
        proof = await self.prove(frozenset(field.nodes))
        for node, state in proof.states.items():
            if state not in self.intact:
                raise HostError(
                    node,
                    f"names are {state} without any fault ({proof.evidence})",
                    f"see its /etc/resolv.conf and packet filter, or leave {self.name!r} out",
                )

    async def read(self, value: Json) -> Order:
        """The nodes that the value names, and the mode."""
        order = await super().read(value)
        mode = value.get("mode", self._mode) if isinstance(value, dict) else self._mode
        if mode not in MODES:
            raise ValueError(f"DNS fails {' or '.join(MODES)}, not {mode!r}")
        return Order(order.things, order.targets, {"mode": mode})

    async def prove(self, things: frozenset[str]) -> Proof:
        """Ask on every host: by packets of our own, the host's servers, the host's resolver."""
        states: dict[str, str] = {}
        seen: dict[str, Json] = {}
        hosts = self._hosts(frozenset(self.field.nodes))
        for _ in range(_TRIES_MAX):
            for node, told in (await ask_each(hosts, self._look)).items():
                if isinstance(told, Exception):
                    states[node], seen[node] = "unknown", str(told)
                else:
                    states[node] = _judge(told)
                    seen[node] = told
            hosts = [host for host in hosts if states[host.name] != self._expected(host.name)]
            if not hosts:
                break
        told_of = {node: each for node, each in seen.items() if node in things}
        return Proof(states, {"ways": sorted(set(self._ways.values())), "seen": told_of})

    async def inject(self, order: Order) -> dict[str, str]:
        """On all targets at once."""
        self._struck |= set(order.targets)

        async def strike(host: Host) -> None:
            await self._begin(host, self._ways[host.name], str(order.detail["mode"]))

        return await on_each(self._hosts(order.targets), strike)

    async def heal(self) -> dict[str, str]:
        failed = await self.debts.pay()
        self._struck &= set(failed)
        return failed

    def _system(self) -> object:
        return self._asked

    def _expected(self, node: str) -> str:
        return "unresolved" if node in self._struck else "resolving"

    async def _look(self, host: Host) -> dict[str, Any]:
        request: dict[str, Json] = {"names": self._names, "seconds": _PROBE_S}
        # Only root may listen on port 53.
        return await ask(host, _name_program, request, sudo=True, timeout_s=60.0, only_looks=True)

    async def _begin(self, host: Host, way: str, mode: str) -> None:
        strike = Strike(self.field.journal.run, host.directory, ())
        digest = hashlib.sha256(strike.name.encode()).hexdigest()[:12]
        names = [f"momus_{digest}" if way == "nft" else f"MOMUS-{digest}", f"momus:{strike.name}"]
        begin, undo = {
            "nft": (_NFT_BEGIN, _NFT_UNDO),
            "iptables": (_IPTABLES_BEGIN, _IPTABLES_UNDO),
        }[way]
        undoing = command(BAR_STRIKE + undo, [*strike.place, *names])
        await self.debts.owe(host, [undoing], {"way": way, "mode": mode}, sudo=True)
        argv = command(BEGIN_STRIKE + begin, [*strike.place, *names, mode])
        await host.run(argv, sudo=True, timeout_s=UNDO_TIMEOUT_S)

    async def _find_way(self, host: Host) -> str:
        complaints: list[str] = []
        for way in self._candidates:
            try:
                await self._begin(host, way, "trial")
            except HostError as error:
                complaints.append(f"{way}: {error}")
            else:
                return way
            finally:
                await to_its_end(self.debts.pay_host(host))
        raise Unsupported(
            host.name,
            f"no packet filter works here ({'; '.join(complaints)})",
            f"install nftables or iptables there, or leave {self.name!r} out",
        )


def _judge(told: dict[str, Any]) -> str:
    """ "resolving" only if all that should work does, "unresolved" only if nothing does."""
    path, servers, names = (told[each].values() for each in ("path", "servers", "names"))
    if all(each == "answered" for each in path) and all(each == "resolved" for each in names):
        return "resolving"
    answered = [each for each in (*path, *servers) if each == "answered"]
    if answered or "taken" in path or "resolved" in names:
        return "half resolving"
    return "unresolved"
