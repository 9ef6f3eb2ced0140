"""known_hosts: whom we believe, and whom never."""

import base64
import shutil
import subprocess
from pathlib import Path

import pytest

from cluster._known_hosts import HostKey, add_known_host, known_host

KEY = HostKey("ssh-ed25519", b"key one")
OTHER = HostKey("ssh-ed25519", b"key two")
OTHER_TYPE = HostKey("ecdsa-sha2-nistp256", b"key three")


def line(hosts: str, key: HostKey = KEY) -> str:
    return f"{hosts} {key.kind} {base64.b64encode(key.blob).decode()} a comment"


def standing(tmp_path: Path, text: str, name: str, port: int = 22, key: HostKey = KEY) -> str:
    file = tmp_path / "known_hosts"
    file.write_text(text)
    return known_host([str(file)], name, port).standing(key)


@pytest.mark.parametrize(
    ("hosts", "name", "port", "found"),
    [
        ("lab-a", "lab-a", 22, "known"),
        ("lab-a", "LAB-A", 22, "known"),
        ("lab-b", "lab-a", 22, "unknown"),
        ("lab-b,lab-a,10.0.0.1", "lab-a", 22, "known"),
        ("lab-?", "lab-a", 22, "known"),
        ("*.example.org", "a.example.org", 22, "known"),
        ("*.example.org,!a.example.org", "a.example.org", 22, "unknown"),
        ("[lab-a]:2222", "lab-a", 2222, "known"),
        ("[lab-a]:2222", "lab-a", 22, "unknown"),
        ("lab-a", "lab-a", 2222, "known"),  # as OpenSSH: a name without a port holds for all
        ("# lab-a", "lab-a", 22, "unknown"),
    ],
)
def test_lines_hold_for_names_patterns_and_ports(
    tmp_path: Path, hosts: str, name: str, port: int, found: str
) -> None:
    assert standing(tmp_path, line(hosts), name, port) == found


def test_another_key_of_a_known_host_has_changed_also_one_of_another_type(tmp_path: Path) -> None:
    assert standing(tmp_path, line("a"), "a", key=OTHER) == "changed"
    assert standing(tmp_path, line("a"), "a", key=OTHER_TYPE) == "changed"
    both = f"{line('a')}\n{line('a', OTHER)}"
    assert standing(tmp_path, both, "a", key=OTHER) == "known"  # keys may be many


def test_a_name_without_a_port_does_not_make_another_port_changed(tmp_path: Path) -> None:
    assert standing(tmp_path, line("a"), "a", 2222, OTHER) == "unknown"


def test_a_revoked_key_is_never_believed(tmp_path: Path) -> None:
    text = f"{line('a')}\n@revoked {line('*')}\n"
    assert standing(tmp_path, text, "a") == "revoked"


def test_an_authority_is_noticed_and_proves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"@cert-authority {line('*.lab')}\n")
    found = known_host([str(file)], "a.lab", 22)
    assert found.authorities == {KEY}
    assert found.standing(KEY) == "unknown"


def test_names_hashed_by_openssh_are_found(tmp_path: Path) -> None:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("there is no ssh-keygen; install openssh-client")
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True
    )
    kind, blob, *_ = (tmp_path / "key.pub").read_text().split()
    file = tmp_path / "known_hosts"
    file.write_text(f"[lab-a]:2222,10.0.0.1 {kind} {blob}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, capture_output=True)
    assert "lab-a" not in file.read_text()
    key = HostKey(kind, base64.b64decode(blob))
    assert known_host([str(file)], "lab-a", 2222).standing(key) == "known"
    assert known_host([str(file)], "10.0.0.1", 22).standing(key) == "known"
    assert known_host([str(file)], "lab-b", 22).standing(key) == "unknown"


def test_what_is_added_is_known_from_then_on(tmp_path: Path) -> None:
    file = tmp_path / "new" / "known_hosts"
    add_known_host(str(file), "a", 2222, KEY)
    add_known_host(str(file), "b", 22, OTHER)
    assert known_host([str(file)], "a", 2222).standing(KEY) == "known"
    assert known_host([str(file)], "b", 22).standing(OTHER) == "known"
    assert file.stat().st_mode & 0o077 == 0


def test_a_last_line_without_an_end_is_not_glued_to_the_next(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(line("a"))
    add_known_host(str(file), "b", 22, OTHER)
    assert known_host([str(file)], "a", 22).standing(KEY) == "known"
    assert known_host([str(file)], "b", 22).standing(OTHER) == "known"


def test_files_that_are_not_there_know_nobody(tmp_path: Path) -> None:
    assert known_host([str(tmp_path / "none")], "a", 22).standing(KEY) == "unknown"
