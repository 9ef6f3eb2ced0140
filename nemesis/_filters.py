"""How a host is made to drop packets, and how exactly that is undone.

There are three ways, tried in this order.  All of them put what they do under a name that
only this run uses, so that undoing it cannot touch a rule somebody else made:

- **iptables**, where it is in use: a chain of our own, ``MOMUS-<hash of the run>``, with
  one DROP rule per source; every rule carries the comment ``momus:<run id>``, and one jump
  at the top of INPUT leads there.
- **nft**: a table of our own, ``inet momus_<hash>``, with a chain on the input hook.
- **ip rule**: where there is no packet filter at all, a blackhole routing rule.  Routing
  rules act on what a host *sends* (the local table comes first for what arrives), so here
  the rule sits on the source and stops packets towards the destination.  With reverse path
  filtering on, such a host also refuses what arrives from there: then one-way partitions
  cut both ways, which the receipt notices.

A filter is two fixed shell scripts, `block` and `undo`; addresses and names are passed to
them as arguments and never become part of a script.  Both can be run again without harm:
`block` adds what is missing, `undo` succeeds when there is nothing (left) to undo and
fails when it could not look.

A `block` still on its way when its driver is killed cannot overtake its undo: see `_strikes`.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from nemesis._strikes import BAR_STRIKE, BEGIN_STRIKE

_PREFACE = "PATH=$PATH:/usr/sbin:/sbin; "

# Today's iptables is a front for nftables.  Where no table of it exists yet it makes one, and
# leaves it behind, empty; with nft at hand such a host is better served by a table of our own.
_IPTABLES_LOOK = """
sparing=$1; shift
for tool; do
  family=ip; [ "$tool" = iptables ] || family=ip6
  if "$sparing" && case $("$tool" -V) in *nf_tables*) true;; *) false;; esac &&
    tables=$(nft list tables 2>/dev/null)
  then
    case "$tables;" in
      *"table $family filter"*) ;;
      *) echo "$tool is not in use here, nft is the cleaner choice" >&2; exit 1;;
    esac
  fi
  "$tool" -w 5 -S >/dev/null || exit 1
done
"""
_NFT_LOOK = "nft list tables >/dev/null"
_IP_RULE_LOOK = "ip rule show >/dev/null"

_IPTABLES_BLOCK = """
chain=$1 comment=$2; shift 2
for address; do
  case $address in *:*) tool=ip6tables;; *) tool=iptables;; esac
  "$tool" -w 5 -n -L "$chain" >/dev/null 2>&1 || "$tool" -w 5 -N "$chain" || exit 1
  "$tool" -w 5 -C "$chain" -s "$address" -m comment --comment "$comment" -j DROP 2>/dev/null ||
  "$tool" -w 5 -A "$chain" -s "$address" -m comment --comment "$comment" -j DROP || exit 1
  "$tool" -w 5 -C INPUT -m comment --comment "$comment" -j "$chain" 2>/dev/null ||
  "$tool" -w 5 -I INPUT 1 -m comment --comment "$comment" -j "$chain" || exit 1
done
"""

_IPTABLES_UNDO = """
chain=$1 comment=$2; shift 2
for tool; do
  command -v "$tool" >/dev/null || continue
  while "$tool" -w 5 -C INPUT -m comment --comment "$comment" -j "$chain" 2>/dev/null; do
    "$tool" -w 5 -D INPUT -m comment --comment "$comment" -j "$chain" || exit 1
  done
  "$tool" -w 5 -F "$chain" 2>/dev/null
  "$tool" -w 5 -X "$chain" 2>/dev/null
  rules=$("$tool" -w 5 -S) || exit 1
  case $rules in *" $chain"*) echo "$rules" >&2; exit 1;; esac
done
"""

_NFT_BLOCK = """
table=$1 comment=$2; shift 2
nft add table inet "$table" || exit 1
nft add chain inet "$table" input \
  '{ type filter hook input priority -300 ; policy accept ; }' || exit 1
for address; do
  case $address in *:*) family=ip6;; *) family=ip;; esac
  nft add rule inet "$table" input "$family" saddr "$address" drop \
    comment "\\"$comment\\"" || exit 1
done
"""

_NFT_UNDO = """
table=$1
command -v nft >/dev/null || exit 0
tables=$(nft list tables) || exit 1
case $tables in *"inet $table"*) nft delete table inet "$table";; esac
"""

_IP_RULE_BLOCK = """
priority=$1; shift
for address; do
  case $address in *:*) family=-6;; *) family=-4;; esac
  ip "$family" rule show | grep -q "^$priority:.* to $address blackhole" ||
  ip "$family" rule add to "$address" priority "$priority" blackhole || exit 1
done
"""

_IP_RULE_UNDO = """
priority=$1; shift
command -v ip >/dev/null || exit 0
for address; do
  case $address in *:*) family=-6;; *) family=-4;; esac
  rules=$(ip "$family" rule show) || exit 1
  case $rules in *"$priority:"*" to $address blackhole"*)
    ip "$family" rule del to "$address" priority "$priority" blackhole || exit 1;;
  esac
done
"""


@dataclass(frozen=True)
class Strike:
    """One use of a filter on one host: `directory` is the run's own there, `name` unique."""

    run: str
    directory: str
    addresses: tuple[str, ...]
    name: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def place(self) -> tuple[str, str]:
        """What the lock of the strike is made of."""
        return self.directory, self.name


@dataclass(frozen=True)
class Filter:
    """One way to drop packets; `side` is the end of the link that holds the rule."""

    name: str
    side: Literal["destination", "source"]

    def look(self, addresses: Sequence[str], *, sparing: bool) -> list[str]:
        """The command that succeeds where this filter's tools are there and may be used.

        `sparing`: not where using it leaves a trace that the next filter would not leave.
        """
        script = {"iptables": _IPTABLES_LOOK, "nft": _NFT_LOOK, "ip rule": _IP_RULE_LOOK}
        return command(script[self.name], ["true" if sparing else "false", *self._tools(addresses)])

    def block(self, strike: Strike) -> list[str]:
        """The command that drops packets from (or to) the addresses of the strike."""
        script = {"iptables": _IPTABLES_BLOCK, "nft": _NFT_BLOCK, "ip rule": _IP_RULE_BLOCK}
        return command(
            BEGIN_STRIKE + script[self.name],
            [*strike.place, *self._names(strike.run), *map(literal, strike.addresses)],
        )

    def undo(self, strike: Strike) -> list[str]:
        """The command that removes everything `block` made for this strike (at least)."""
        script, rest = self._undoing(strike)
        return command(BAR_STRIKE + script, [*strike.place, *rest])

    def lift(self, strike: Strike) -> list[str]:
        """As `undo`, but the strike may be begun again."""
        return command(*self._undoing(strike))

    def _undoing(self, strike: Strike) -> tuple[str, list[str]]:
        script = {"iptables": _IPTABLES_UNDO, "nft": _NFT_UNDO, "ip rule": _IP_RULE_UNDO}
        names = self._names(strike.run)
        rest = {
            "iptables": [*names, *self._tools(strike.addresses)],
            "nft": names[:1],
            "ip rule": [*names, *map(literal, strike.addresses)],
        }
        return script[self.name], rest[self.name]

    def _tools(self, addresses: Sequence[str]) -> list[str]:
        """iptables has one tool for each family of addresses, the others one for both."""
        if self.name != "iptables":
            return []
        literals = map(literal, addresses)
        return sorted({"ip6tables" if ":" in each else "iptables" for each in literals})

    def _names(self, run: str) -> list[str]:
        # nft parses its arguments as a language, so what we put there must be tame.
        if not re.fullmatch(r"[\w.:/+-]{1,200}", run, re.ASCII):
            raise ValueError(f"run id {run!r} must be letters, digits and . _ : / + - only")
        digest = hashlib.sha256(run.encode()).hexdigest()[:8]
        if self.name == "iptables":
            return [f"MOMUS-{digest}", f"momus:{run}"]
        if self.name == "nft":
            return [f"momus_{digest}", f"momus:{run}"]
        # Rules carry no comments; a priority that only this run uses takes their place.
        return [str(1000 + int(digest, 16) % 30000)]


FILTERS = (
    Filter("iptables", "destination"),
    Filter("nft", "destination"),
    Filter("ip rule", "source"),
)

FILTER_NAMES = tuple(each.name for each in FILTERS)

TRIAL_ADDRESSES = {4: "192.0.2.1", 6: "2001:db8::1"}
"""Addresses reserved for documentation: nobody's, so a trial rule harms nobody."""


def literal(address: str) -> str:
    return str(ipaddress.ip_address(address))


def command(script: str, arguments: Sequence[str]) -> list[str]:
    return ["sh", "-c", _PREFACE + script.strip(), "momus", *arguments]
