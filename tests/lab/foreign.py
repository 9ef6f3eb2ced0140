"""What somebody else has on the hosts: it was there before, so it must be there afterwards.

Some of it looks as if it were ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cluster import Host

_PLANT: Final = """
iptables -w -A INPUT -s 192.0.2.8 -m comment --comment momus:somebody-else -j ACCEPT
ip6tables -w -N MOMUS-else
nft add table inet momus
nft add chain inet momus input '{ type filter hook input priority 5 ; policy accept ; }'
nft add rule inet momus input ip saddr 192.0.2.9 counter drop comment '"momus:else"'
ip rule add to 192.0.2.10 priority 77 blackhole
ip route add blackhole 192.0.2.11 table 1077
ip link add foreign0 type bridge
tc qdisc add dev foreign0 root handle 7: prio
tc qdisc add dev foreign0 parent 7:1 handle 70: netem delay 1ms
mkdir "$1/foreign"
mount -t tmpfs foreign "$1/foreign"
echo somebody else > "$1/foreign/file"
exec >/dev/null 2>&1 </dev/null
setsid sh -c 'echo $$ > "$1/foreign/pid"; kill -STOP $$; sleep 1077' sh "$1" &
"""

_UPROOT: Final = """
read -r pid < "$1/foreign/pid" && kill -KILL "$pid"
umount "$1/foreign"
rmdir "$1/foreign"
ip link del foreign0
ip route del blackhole 192.0.2.11 table 1077
ip rule del to 192.0.2.10 priority 77 blackhole
nft delete table inet momus
nft delete table ip6 filter
nft delete table ip filter
:
"""


_QUIET: Final = """
for each in "$HOME/.bashrc" "$HOME/.profile" "$HOME/.bash_profile"; do
    [ ! -f "$each" ] || mount --bind /dev/null "$each"
done
"""


async def plant(hosts: Sequence[Host]) -> None:
    """Put it on these hosts; where packet filters are missing, without them."""
    for host in hosts:
        await host.run(["sh", "-c", _PLANT, "plant", host.directory])


async def uproot(hosts: Sequence[Host]) -> None:
    """Take it away again."""
    for host in hosts:
        await host.run(["sh", "-c", _UPROOT, "uproot", host.directory], check=False)


async def quieten(below: Sequence[Host]) -> None:
    """Let logins of these hosts, seen from outside, run no start-up files of the user's.

    They are this machine's own files: a shell that is killed within them may leave locks of
    version managers behind, which would hold up every later login here.
    """
    for host in below:
        await host.run(["sh", "-c", _QUIET])
