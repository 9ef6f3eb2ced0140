"""How a host is made to trouble packets, and how exactly that is undone.

A `PacketWay` is a pair of fixed shell scripts, `begin` and `undo`, which get addresses and
numbers as arguments, like the filters of `_filters`, whose locks of strikes they share:

- **netem**: the kernel's own emulator of bad networks, in a class of its own under an htb
  queue at the root of the device; only packets to our addresses are sorted into it.
- **htb**: the same without netem, for rates.
- **nft** and **iptables**: a rule that drops at random, or what is above a rate.
- **nfqueue**: where the kernel has no netem, our own program (`_packet_program`), to which
  the kernel hands the packets.

A device that has queues somebody has configured is left alone (`begin` fails): only the
kernel's default queues come back by themselves, exactly as they were, when ours is removed.
Everything bears a name or number made from the strike's, so undo finds only what this strike
made.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from nemesis import _packet_program
from nemesis._filters import Strike, command, literal
from nemesis._programs import text_of
from nemesis._strikes import BAR_STRIKE, BEGIN_STRIKE

Attributes = Mapping[str, float]

AT_MOST_S: Final = 3600.0
"""A program that nobody has ended goes home after this time."""
BURST_BYTES: Final = 8000
BACKLOG_MS: Final = 200
PROGRAM: Final = text_of(_packet_program).encode()

# $1 handle, $2 rate of the class, $3 its queue, then pairs: an address whose device is meant,
# and the address that packets must go to.
_TC_BEGIN: Final = """
handle=$1 rate=$2 queue=$3; shift 3
set -f
while [ $# -gt 1 ]; do
  device=$(ip -o route get "$1" | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p')
  [ -n "$device" ] && [ "$device" != lo ] || { echo "no device leads to $1" >&2; exit 1; }
  queues=$(tc qdisc show dev "$device") || exit 1
  case $queues in
  *"qdisc htb $handle: root"*) ;;
  *)
    foreign=$(echo "$queues" | grep -v -e '^qdisc [a-z_]* 0: ' -e '^qdisc [a-z]* ffff: ')
    [ -z "$foreign" ] || {
      echo "$device has queues that somebody configured, which could not be restored exactly:" \
        "$foreign" >&2
      exit 1
    }
    tc qdisc add dev "$device" root handle "$handle:" htb default 0 || exit 1;;
  esac
  number=$(printf %x $(($(tc class show dev "$device" | grep -c .) + 1)))
  tc class add dev "$device" parent "$handle:" classid "$handle:$number" \
    htb rate "$rate" burst 8000 cburst 8000 quantum 60000 || exit 1
  tc qdisc add dev "$device" parent "$handle:$number" $queue || exit 1
  case $2 in
  *:*) tc filter add dev "$device" parent "$handle:" protocol ipv6 prio 2 \
    u32 match ip6 dst "$2/128" flowid "$handle:$number" || exit 1;;
  *) tc filter add dev "$device" parent "$handle:" protocol ip prio 1 \
    u32 match ip dst "$2/32" flowid "$handle:$number" || exit 1;;
  esac
  shift 2
done
"""
_TC_UNDO: Final = """
handle=$1
command -v tc >/dev/null || exit 0
queues=$(tc qdisc show) || exit 1
for device in $(echo "$queues" | sed -n "s/^qdisc htb $handle: dev \\([^ ]*\\) root.*/\\1/p"); do
  tc qdisc del dev "$device" root handle "$handle:" || exit 1
done
"""

# $1 table, $2 comment, $3 hits in a million (or bytes a second, with $4 "rate").  A reset is
# answered by nothing, or the end that is still open would never hear of it.
_NFT_BEGIN: Final = """
table=$1 comment=$2 number=$3 kind=$4; shift 4
nft add table inet "$table" || exit 1
nft add chain inet "$table" input \
  '{ type filter hook input priority -300 ; policy accept ; }' || exit 1
for address; do
  case $address in *:*) family=ip6;; *) family=ip;; esac
  if [ "$kind" = reset ]; then
    nft add rule inet "$table" input "$family" saddr "$address" tcp flags '&' rst == 0 \
      reject with tcp reset comment "\\"$comment\\"" || exit 1
  elif [ "$kind" = rate ]; then
    nft add rule inet "$table" input "$family" saddr "$address" limit rate over \
      "$number" bytes/second burst 8000 bytes drop comment "\\"$comment\\"" || exit 1
  else
    nft add rule inet "$table" input "$family" saddr "$address" numgen random mod 1000000 \
      '<' "$number" drop comment "\\"$comment\\"" || exit 1
  fi
done
"""
_NFT_UNDO: Final = """
table=$1
command -v nft >/dev/null || exit 0
tables=$(nft list tables) || exit 1
case $tables in *"inet $table"*) nft delete table inet "$table";; esac
"""

# $1 chain, $2 comment, $3 probability, or "reset".
_IPTABLES_BEGIN: Final = """
chain=$1 comment=$2 share=$3; shift 3
for address; do
  case $address in *:*) tool=ip6tables;; *) tool=iptables;; esac
  "$tool" -w 5 -n -L "$chain" >/dev/null 2>&1 || {
    "$tool" -w 5 -N "$chain" &&
    "$tool" -w 5 -I INPUT 1 -m comment --comment "$comment" -j "$chain"
  } || exit 1
  if [ "$share" = reset ]; then
    "$tool" -w 5 -A "$chain" -s "$address" -p tcp ! --tcp-flags RST RST \
      -m comment --comment "$comment" -j REJECT --reject-with tcp-reset || exit 1
    continue
  fi
  "$tool" -w 5 -A "$chain" -s "$address" -m statistic --mode random --probability "$share" \
    -m comment --comment "$comment" -j DROP || exit 1
done
"""
_IPTABLES_UNDO: Final = """
chain=$1 comment=$2
for tool in iptables ip6tables; do
  command -v "$tool" >/dev/null || continue
  "$tool" -w 5 -n -L "$chain" >/dev/null 2>&1 || continue
  while "$tool" -w 5 -C INPUT -m comment --comment "$comment" -j "$chain" 2>/dev/null; do
    "$tool" -w 5 -D INPUT -m comment --comment "$comment" -j "$chain" || exit 1
  done
  "$tool" -w 5 -F "$chain" && "$tool" -w 5 -X "$chain" || exit 1
done
"""

# $1 the request, then the Pythons to try; the program comes over standard input.
_QUEUE_BEGIN: Final = """
request=$1; shift
for python; do
  if command -v "$python" >/dev/null 2>&1; then exec "$python" -I -S - "$request"; fi
done
echo "no python3 here" >&2; exit 127
"""
# $1 pid file.  The kernel removes the rules when the program ends.
_QUEUE_UNDO: Final = """
read -r pid start boot 2>/dev/null < "$1" || exit 0
case $pid in ''|0|1|*[!0-9]*) echo "no pid in $1" >&2; exit 1;; esac
read -r now < /proc/sys/kernel/random/boot_id || exit 1
alive() {
  [ "$boot" = "$now" ] && read -r line 2>/dev/null < "/proc/$pid/stat" || return 1
  set -- ${line##*) }
  [ "$1" != Z ] && [ "${20}" = "$start" ]
}
left=100 signal=TERM
while alive; do
  [ $left -gt 50 ] || signal=KILL
  [ $left -gt 0 ] || { echo "process $pid survived KILL" >&2; exit 1; }
  left=$((left - 1))
  kill -s "$signal" "$pid" 2>/dev/null
  sleep 0.05
done
rm -f -- "$1"
"""


@dataclass(frozen=True)
class PacketWay:
    """One way to trouble packets."""

    name: str

    def side(self, kind: str) -> Literal["source", "destination"]:
        """The end of the link where it is done."""
        by_sender = self.name in ("netem", "htb") or kind == "packet-duplicate"
        return "source" if by_sender else "destination"

    def begin(
        self,
        strike: Strike,
        kind: str,
        attributes: Attributes,
        *,
        seed: int = 0,
        via: str | None = None,
        pythons: Sequence[str] = (),
    ) -> tuple[list[str], bytes]:
        """The command that troubles packets to (or from) the strike's addresses; its input.

        `via` is an address that shares its device with those that have none, in a trial.
        """
        addresses = [literal(each) for each in strike.addresses]
        names, rest, input = self._names(strike), [""], b""
        if self.name in ("netem", "htb"):
            script = _TC_BEGIN
            rate, queue = class_of(self.name, kind, attributes)
            rest = [rate, queue]
            addresses = [each for to in addresses for each in (via or to, to)]
        elif self.name == "nft":
            script = _NFT_BEGIN
            if kind == "reset-connections":
                rest = ["0", "reset"]
            elif kind == "packet-rate":
                rest = [str(round(attributes["kbit_s"] * 125)), "rate"]
            else:
                rest = [str(round(attributes["percent"] * 10_000)), "loss"]
        elif self.name == "iptables":
            script = _IPTABLES_BEGIN
            resets = kind == "reset-connections"
            rest = ["reset" if resets else f"{attributes['percent'] / 100:.6f}"]
        else:
            script, input = _QUEUE_BEGIN, PROGRAM
            request = {
                "addresses": addresses,
                "outgoing": self.side(kind) == "source",
                "orders": orders_of(kind, attributes),
                "table": names[0],
                "mark": int(_digest(strike), 16) % 0x7FFFFFFF + 1,
                "seed": seed,
                "at_most_s": AT_MOST_S,
                "pid_file": _pid_file(strike),
            }
            names, rest, addresses = [], [json.dumps(request)], list(pythons)
        return command(BEGIN_STRIKE + script, [*strike.place, *names, *rest, *addresses]), input

    def undo(self, strike: Strike) -> list[str]:
        """The command that removes what `begin` made for this strike, and nothing else."""
        script = {
            "netem": _TC_UNDO,
            "htb": _TC_UNDO,
            "nft": _NFT_UNDO,
            "iptables": _IPTABLES_UNDO,
            "nfqueue": _QUEUE_UNDO,
        }[self.name]
        names = [_pid_file(strike)] if self.name == "nfqueue" else self._names(strike)
        return command(BAR_STRIKE + script, [*strike.place, *names])

    def _names(self, strike: Strike) -> list[str]:
        digest = _digest(strike)
        comment = f"momus:{strike.name}"
        if self.name in ("netem", "htb"):
            # The kernel numbers its own from 8000 on.
            return [f"{0x1000 + int(digest, 16) % 0x6FFF:x}"]
        if self.name == "iptables":
            return [f"MOMUS-{digest}", comment]
        if self.name == "nft":
            return [f"momus_{digest}", comment]
        return [f"momus_{digest}"]


WAYS: Final = {
    way.name: way
    for way in (
        PacketWay("netem"),
        PacketWay("htb"),
        PacketWay("nft"),
        PacketWay("iptables"),
        PacketWay("nfqueue"),
    )
}


def class_of(way: str, kind: str, attributes: Attributes) -> tuple[str, str]:
    """The rate of the htb class and the queue below it, in tc's language."""
    if kind == "packet-rate":
        backlog = max(BURST_BYTES, round(attributes["kbit_s"] / 8 * BACKLOG_MS))
        return f"{attributes['kbit_s']:g}kbit", f"bfifo limit {backlog}"
    assert way == "netem", f"{way} cannot do {kind}"
    queue = {
        "packet-loss": "loss random {percent:g}%",
        "packet-delay": "delay {delay_ms:g}ms {jitter_ms:g}ms",
        "packet-duplicate": "duplicate {percent:g}%",
        # netem delays all but those it calls reordered, so the share is the other one.
        "packet-reorder": "delay {hold_ms:g}ms reorder {others:g}%",
        "packet-corrupt": "corrupt {percent:g}%",
    }[kind]
    others = 100 - attributes.get("percent", 0)
    return "100gbit", "netem limit 50000 " + queue.format(**attributes, others=others)


def orders_of(kind: str, attributes: Attributes) -> dict[str, float]:
    """What our own program is told to do: shares of packets, seconds, bytes a second."""
    share = attributes.get("percent", 0) / 100
    return {
        "packet-loss": {"loss": share},
        "packet-delay": {
            "delay_s": attributes.get("delay_ms", 0) / 1e3,
            "jitter_s": attributes.get("jitter_ms", 0) / 1e3,
        },
        "packet-duplicate": {"duplicate": share},
        "packet-reorder": {"reorder": share, "hold_s": attributes.get("hold_ms", 0) / 1e3},
        "packet-corrupt": {"corrupt": share},
        "packet-rate": {"bytes_per_s": attributes.get("kbit_s", 0) * 125},
    }[kind]


def _digest(strike: Strike) -> str:
    return hashlib.sha256(strike.name.encode()).hexdigest()[:12]


def _pid_file(strike: Strike) -> str:
    return posixpath.join(strike.directory, f"packets-{_digest(strike)}.pid")
