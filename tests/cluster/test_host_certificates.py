"""Host certificates as ssh-keygen makes them: when an authority's word counts, and when not."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster import HostError, LocalHost, free_port, ssh
from cluster._host_certificates import certificate_trouble
from cluster._known_hosts import HostKey, known_host
from cluster._local import environment
from cluster._sshlab import SSHD_COMMAND, SSHD_CONFIG

KEYGEN = shutil.which("ssh-keygen")
pytestmark = pytest.mark.skipif(KEYGEN is None, reason="no ssh-keygen; install openssh-client")


def keygen(*words: str | Path) -> None:
    subprocess.run(["ssh-keygen", "-q", *map(str, words)], check=True, capture_output=True)


def key_at(path: Path) -> HostKey:
    kind, blob, *_ = path.read_text().split()
    return HostKey(kind, base64.b64decode(blob))


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A folder with an authority's key (`ca`) and a host's (`host`)."""
    for name in ("ca", "host"):
        keygen("-t", "ed25519", "-N", "", "-f", tmp_path / name)
    return tmp_path


Trouble = Callable[..., str | None]


@pytest.fixture
def trouble(made: Path) -> Trouble:
    """What is wrong with a certificate that was signed with these words, for this host."""

    def trouble(
        *words: str, name: str = "a.lab", known: str = "", kind: str = "ed25519"
    ) -> str | None:
        if kind != "ed25519":
            (made / "host").unlink()
            keygen("-t", kind, "-N", "", "-f", made / "host")
        keygen("-s", made / "ca", "-I", "id", *words, made / "host.pub")
        file = made / "known_hosts"
        authority = " ".join((made / "ca.pub").read_text().split()[:2])
        file.write_text(known.format(ca=authority) or f"@cert-authority *.lab {authority}\n")
        host = known_host([str(file)], name, 22)
        return certificate_trouble(
            key_at(made / "host-cert.pub"), key_at(made / "host.pub"), host, name, time.time()
        )

    return trouble


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_the_word_of_an_authority_counts(trouble: Trouble, kind: str) -> None:
    assert trouble("-h", "-n", "a.lab,10.0.0.1", kind=kind) is None


def test_names_in_a_certificate_may_be_patterns(trouble: Trouble) -> None:
    assert trouble("-h", "-n", "*.lab") is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-n", "a.lab"), "none for hosts"),
        (("-h", "-n", "b.lab"), "is for b.lab, not for a.lab"),
        (("-h",), "is for no name"),
        (("-h", "-n", "a.lab", "-V", "20200101:20200102"), "not valid now"),
        (("-h", "-n", "a.lab", "-V", "20990101:20990102"), "not valid now"),
    ],
)
def test_certificates_for_others_or_of_other_times_prove_nothing(
    trouble: Trouble, words: tuple[str, ...], said: str
) -> None:
    assert said in str(trouble(*words))


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ("@cert-authority *.org {ca}\n", "no authority for it"),
        ("@cert-authority *.lab,!a.lab {ca}\n", "no authority for it"),
        ("a.lab {ca}\n", "no authority for it"),
        ("@cert-authority *.lab {ca}\n@revoked * {ca}\n", "is revoked"),
    ],
)
def test_authorities_are_those_of_known_hosts(trouble: Trouble, known: str, said: str) -> None:
    assert said in str(trouble("-h", "-n", "a.lab", known=known))


def test_a_certificate_with_a_flipped_bit_or_another_key_proves_nothing(
    trouble: Trouble, made: Path
) -> None:
    assert trouble("-h", "-n", "a.lab") is None
    known = known_host([str(made / "known_hosts")], "a.lab", 22)
    card, key = key_at(made / "host-cert.pub"), key_at(made / "host.pub")
    for at in range(0, len(card.blob), 7):
        flipped = bytearray(card.blob)
        flipped[at] ^= 1
        assert certificate_trouble(
            HostKey(card.kind, bytes(flipped)), key, known, "a.lab", time.time()
        )
    other = HostKey(key.kind, bytes(reversed(key.blob)))
    assert "another key" in str(certificate_trouble(card, other, known, "a.lab", time.time()))


def test_a_real_sshd_with_a_certificate_is_believed_and_one_without_is_not(made: Path) -> None:
    sshd = shutil.which("sshd", path=environment()["PATH"])
    if sshd is None:
        pytest.skip("there is no sshd; install openssh-server")
    port, own_mounts = free_port(), ["unshare", "-m"] if os.geteuid() == 0 else []
    keygen("-t", "ed25519", "-N", "", "-f", made / "id")
    keygen("-s", made / "ca", "-I", "id", "-h", "-n", "127.0.0.1", made / "host.pub")
    text = SSHD_CONFIG.format(
        port=port, address="127.0.0.1", key=made / "host", authorized=made / "id.pub"
    )
    authority = " ".join((made / "ca.pub").read_text().split()[:2])
    (made / "known_hosts").write_text(f"@cert-authority [127.0.0.1]:{port} {authority}\n")
    lab = made / "lab.toml"
    lab.write_text(
        f'key = "id"\nknown_hosts = "known_hosts"\nport = {port}\nhost_keys = "accept-new"\n'
        f'directory = "{made}"\nssh_config = "none"\nhosts = ["127.0.0.1"]\n'
    )

    async def serve(config: str) -> LocalHost:
        (made / "config").write_text(config)
        machine = LocalHost("machine", str(made))
        words = ["sh", "-c", SSHD_COMMAND, "sshd", sshd, str(made / "config"), str(made / "log")]
        await machine.start("sshd", [*own_mounts, *words])
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(OSError):
                    (await machine.dial(port)).close()
                    return machine
                await asyncio.sleep(0.02)

    async def main() -> None:
        machine = await serve(f"HostCertificate {made / 'host-cert.pub'}\n{text}")
        try:
            async with ssh(lab) as [host]:
                assert (await host.run(["echo", "in"])).text == "in"
        finally:
            await machine.stop("sshd")
        machine = await serve(text)
        try:
            with pytest.raises(HostError, match="it shows no certificate"):
                async with ssh(lab):
                    pass
        finally:
            await machine.stop("sshd")

    asyncio.run(main())
    assert authority in (made / "known_hosts").read_text()
    assert len((made / "known_hosts").read_text().splitlines()) == 1, "nothing was learnt"
