"""What errors show of a command."""

import pytest

from cluster._posix import timed_out
from cluster._redaction import spoken


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["etcd", "--name", "n1"], "etcd --name n1"),
        (["psql", "--password", "hunter2", "x"], "psql --password *** x"),
        (["psql", "--password=hunter2"], "psql '--password=***'"),
        (["env", "PGPASSWORD=hunter2", "DB=x", "psql"], "env 'PGPASSWORD=***' DB=x psql"),
        (["env", "AWS_SECRET_ACCESS_KEY=a\nb"], "env 'AWS_SECRET_ACCESS_KEY=***'"),
        (["curl", "https://me:hunter2@host/x"], "curl 'https://me:***@host/x'"),
        (["sh", "-c", "one\ntwo", "name"], "sh -c ... name"),
    ],
)
def test_secrets_and_scripts_are_left_out(argv: list[str], shown: str) -> None:
    assert spoken(argv) == shown
    assert "hunter2" not in str(timed_out("n1", argv, 1.0))


def test_a_long_command_is_cut() -> None:
    assert len(spoken(["x" * 1000])) == 200
