"""The named bugs of raftkv, and which real systems had one like it.

Each is an ``if`` of one line where the mistake is made; look for its name in the code.  `like` is
a pointer, not a claim that the cause was the same in every detail.  Each has the scenarios that
should find it, the likeliest first, and those who should complain: a bug that shows by something
else, such as a node that falls over it, has not been found.
"""

from __future__ import annotations

from typing import Final

from simulation.scenario import Bug

# Who complains: of two that were elected, of logs that differ, of a log that cannot be read, of
# a wrong answer.
_ONE_PRIMARY: Final = ("at-most-one-primary",)
_LOGS_DIFFER: Final = ("same-at-same-place", "linearizable")
_LOG_BROKEN: Final = ("nobody-died", *_LOGS_DIFFER)
_LINEARIZABLE: Final = ("linearizable",)

_ELECTIONS: Final = (
    Bug(
        "vote-not-persisted",
        "A vote is kept in memory alone, so a node that starts again votes twice in a term.",
        "RobustMQ's log store did not sync votes (robustmq/robustmq#2039)",
        scenarios=("crash-elections",),
        checkers=_ONE_PRIMARY,
    ),
    Bug(
        "late-votes-counted",
        "A candidate counts votes that were given to it in an earlier term.",
        "little-raft (andreev-io/little-raft#44)",
        scenarios=("votes-come-late", "crash-elections"),
        checkers=_ONE_PRIMARY,
    ),
    Bug(
        "vote-granted-to-shorter-log",
        "Votes are given without a look at the candidate's log, which may lack what is committed.",
        "akka-raft looked at no log (ktoso/akka-raft#51), noraft at lengths alone (sile/noraft#22)",
        scenarios=("laggard-cannot-lead", "membership", "retries"),
        checkers=_LOGS_DIFFER,
    ),
    Bug(
        "term-goes-back-after-restart",
        "A term that was learned from others is not on disk.",
        "NebulaGraph, where the term last proposed could go back (vesoft-inc/nebula#2405)",
        scenarios=("restart-after-leader-changes", "crash-shards", "leader-and-follower"),
        checkers=("terms-never-go-back",),
    ),
    Bug(
        "dual-primary-after-heal",
        "A primary that hears of a newer term adopts it, and goes on as primary.",
        "split brain in early builds of Redis-Raft (Jepsen, Redis-Raft 1b3fbf6)",
        scenarios=("asymmetric-partition", "isolated-leader", "cascading-partition"),
        checkers=_ONE_PRIMARY,
    ),
)

_LOGS: Final = (
    Bug(
        "earlier-term-committed-by-counting",
        "A new leader commits an entry of an earlier term as soon as a majority has it.",
        "PySyncObj (bakwc/PySyncObj#169); figure 8 of the Raft paper",
        scenarios=("figure-eight",),
        checkers=("same-at-same-place",),
    ),
    Bug(
        "commit-index-from-heartbeat-unchecked",
        "A follower commits as far as the leader has, also entries that are not the leader's.",
        "Copycat (atomix/copycat#265), ScyllaDB (scylladb/scylladb#9965)",
        scenarios=("minority-partition", "isolated-leader", "split-brain"),
        checkers=_LOGS_DIFFER,
    ),
    Bug(
        "conflict-not-truncated",
        "A follower keeps its own entry where the leader has another one.",
        "MoFA left the tail behind a conflict (mofa-org/mofa#1150)",
        scenarios=("uncommitted-entries", "isolated-leader", "minority-partition"),
        checkers=_LOGS_DIFFER,
    ),
    Bug(
        "truncates-committed-on-append",
        "A late or repeated append cuts off what came after it.",
        "akka-entity-replication (lerna-stack/akka-entity-replication#152)",
        scenarios=("election-timeouts-short", "client-retries"),
        checkers=_LOGS_DIFFER,
    ),
    Bug(
        "ack-before-majority",
        "A write is acknowledged once the leader alone has it on disk.",
        "lost updates in early builds of Redis-Raft (Jepsen, Redis-Raft 1b3fbf6)",
        scenarios=("uncommitted-entries", "isolated-leader", "lose-three-of-five"),
        checkers=("no-progress-without-majority", *_LOGS_DIFFER),
    ),
)

_DISKS: Final = (
    Bug(
        "ack-before-sync",
        "Promises leave before what they promise is on disk.",
        "Zeebe's followers (camunda/camunda#4160), TiKV (tikv/tikv#994)",
        scenarios=("crash-keeping", "crash-all", "disk-slow"),
        checkers=("at-most-one-primary", *_LOGS_DIFFER),
    ),
    Bug(
        "torn-record-accepted",
        "A record that was torn by a crash is taken as it is, its end filled with zeros.",
        "etcd once wrote its log in place, and read torn writes back (etcd-io/etcd#5230)",
        scenarios=("disks", "crash-all", "crash-wal"),
        checkers=_LOG_BROKEN,
    ),
    Bug(
        "torn-tail-not-cut",
        "New records are written behind a torn one, where the next start does not find them.",
        "what etcd's repair of logs is there to prevent (etcd-io/etcd#2736)",
        scenarios=("crash-all", "crash-wal", "disks"),
        checkers=("recovers", *_LOG_BROKEN),
    ),
    Bug(
        "sync-error-ignored",
        "A sync that failed is taken for one that succeeded.",
        "PostgreSQL until 2019: it tried fsync again, and believed it (fsyncgate)",
        scenarios=("disk-sync-errors", "disk-full", "disks"),
        checkers=("recovers", *_LOG_BROKEN),
    ),
    Bug(
        "foreign-shard-replayed",
        "A shard replays the records of others that share its log.",
        "RocksDB puts the number of the log into the records of recycled logs because of that",
        scenarios=("crash-shards", "rebalance"),
        checkers=("no-foreign-replay",),
    ),
)

_SNAPSHOTS: Final = (
    Bug(
        "snapshot-forgets-last-entry",
        "A snapshot says that it has one entry more in it than it has.",
        "d-engine's snapshots said less than they had (deventlab/d-engine#418)",
        scenarios=("snapshot-after-failure", "snapshots", "compaction-during-leader-changes"),
        checkers=_LOGS_DIFFER,
    ),
    Bug(
        "stale-snapshot-installed-over-newer",
        "A snapshot that comes late replaces newer state.",
        "OpenRaft (databendlabs/openraft#543), etcd (etcd-io/etcd#1763)",
        scenarios=("snapshots-in-a-slow-network", "snapshots"),
        checkers=_LOGS_DIFFER,
    ),
    Bug(
        "dedup-lost-in-snapshot",
        "What clients were answered is not in snapshots, so a retry is done again.",
        "Curvine kept it in memory alone (CurvineIO/curvine#676)",
        scenarios=("retries", "retries-after-restart"),
        checkers=_LINEARIZABLE,
    ),
)

_CLIENTS: Final = (
    Bug(
        "no-dedup-on-retry",
        "A retry is done again.",
        "Ra leaves it to state machines (rabbitmq/ra#145)",
        scenarios=("client-retries", "retries", "answers-lost-in-moves"),
        checkers=_LINEARIZABLE,
    ),
    Bug(
        "read-from-deposed-leader",
        "A node that once led answers reads of its own, whoever leads now.",
        "stale reads in early builds of Redis-Raft (Jepsen, Redis-Raft 1b3fbf6)",
        scenarios=("isolated-leader", "minority-partition", "symmetric-partition"),
        checkers=_LINEARIZABLE,
    ),
    Bug(
        "read-index-without-confirming",
        "A leader answers reads without asking whether it still leads.",
        "etcd and Consul in 2014 (Jepsen; hashicorp/consul#54)",
        scenarios=("isolated-leader", "minority-partition"),
        checkers=_LINEARIZABLE,
    ),
    Bug(
        "read-before-own-term-committed",
        "A new leader answers reads before it knows what is committed.",
        "etcd (etcd-io/etcd#7331), TiKV (tikv/tikv#6340)",
        scenarios=("crash-during-election", "crash-all", "lease-transfer"),
        checkers=_LINEARIZABLE,
    ),
    Bug(
        "follower-reads-without-asking",
        "A follower answers reads from what it has, without asking how far it should be.",
        "hraftd, which says so (otoolep/hraftd#22); OpenRaft's example (databendlabs/openraft#157)",
        scenarios=("follower-reads", "follower-recovery-serves-reads", "follower-reads-by-leases"),
        checkers=_LINEARIZABLE,
    ),
    Bug(
        "follower-answers-before-applied",
        "A follower asks how far it should be, and answers before it is there.",
        "braft's advice for such reads lacked the waiting (baidu/braft#315)",
        scenarios=("follower-reads-by-leases", "follower-reads"),
        checkers=_LINEARIZABLE,
    ),
    Bug(
        "lease-through-clock-jump",
        "Leases are measured by the wall clock, which may jump back.",
        "SOFAJRaft, until it took monotonic time (sofastack/sofa-jraft#26)",
        scenarios=("clock-skew", "leases"),
        checkers=_LINEARIZABLE,
    ),
    Bug(
        "lease-through-transfer",
        "A leader that has handed over goes on reading by its lease.",
        "TiKV (tikv/tikv#1593), OpenRaft (databendlabs/openraft#1748)",
        scenarios=("hand-over-unheard", "lease-transfer"),
        checkers=_LINEARIZABLE,
    ),
)

_CHANGES: Final = (
    Bug(
        "leader-transfer-without-catching-up",
        "A leader hands over to who lacks entries, and the others trust its choice.",
        "nobody we know of; Ongaro's thesis (3.10) has a step against it",
        scenarios=("lease-transfer", "leader-hands-over"),
        checkers=_LOGS_DIFFER,
    ),
    Bug(
        "two-membership-changes-at-once",
        "Members change at once, in one step, while another change is not committed.",
        "single-server changes as first published (Ongaro, raft-dev, 2015)",
        scenarios=("hasty-membership-changes", "membership-changes", "membership"),
        checkers=("at-most-one-primary", *_LOGS_DIFFER),
    ),
    Bug(
        "migrating-in-accepts-write",
        "A shard accepts writes while its data still comes in.",
        "nobody we know of; MongoDB lost data in migrations otherwise (SERVER-10478)",
        scenarios=("crash-at-each-step-of-a-move", "rebalance", "migration"),
        checkers=("migrating-in-never-accepts", "only-primaries-accept"),
    ),
    Bug(
        "migration-drops-late-writes",
        "The data is copied before the source has stopped to accept writes.",
        "ScalienDB lost data that moved meanwhile (scalien/scaliendb#122)",
        scenarios=("crash-during-migration", "partition-during-migration", "rebalance"),
        checkers=_LINEARIZABLE,
    ),
    Bug(
        "dedup-lost-in-migration",
        "What clients were answered does not move along with the data.",
        "nobody we know of; courses that have students build such a store warn of it",
        scenarios=("answers-lost-in-moves", "migration"),
        checkers=_LINEARIZABLE,
    ),
    Bug(
        "source-reads-after-move",
        "The source answers reads when the target has begun to accept writes.",
        "nobody we know of; it is why the old side is closed before the new one opens",
        scenarios=("crash-at-each-step-of-a-move", "migration", "rebalance"),
        checkers=_LINEARIZABLE,
    ),
)

BUGS: Final = {
    bug.name: bug for bug in (*_ELECTIONS, *_LOGS, *_DISKS, *_SNAPSHOTS, *_CLIENTS, *_CHANGES)
}
