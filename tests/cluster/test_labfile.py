"""``lab.toml``: what may stand in it, and what is said of what may not."""

from pathlib import Path

import pytest

from cluster import LabFileError, read_lab
from cluster._labfile import as_spec, settings_from


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "lab.toml"
    path.write_text(text)
    return path


def test_addresses_alone_are_enough(tmp_path: Path) -> None:
    one, two = read_lab(write(tmp_path, 'user = "root"\nhosts = ["10.0.0.1", "10.0.0.2"]'))
    assert (one.name, one.address, one.user, one.port) == ("n1", "10.0.0.1", "root", 22)
    assert (two.name, two.address) == ("n2", "10.0.0.2")
    assert one.host_keys == "strict"


def test_a_hosts_own_settings_are_stronger(tmp_path: Path) -> None:
    text = """
        user = "root"
        port = 2200
        key = "keys/lab"
        [[hosts]]
        name = "a"
        address = "h1"
        [[hosts]]
        address = "h2"
        port = 22
        user = "bob"
        proxy_command = ["ssh", "-W", "%h:%p", "jump"]
    """
    one, two = read_lab(write(tmp_path, text))
    assert (one.name, one.port, one.user) == ("a", 2200, "root")
    assert (two.name, two.port, two.user) == ("n2", 22, "bob")
    assert one.keys == two.keys == (str(tmp_path / "keys/lab"),)  # relative to the file
    assert one.identities_only  # a key that was named is the only one to show
    assert two.proxy_command == ("ssh", "-W", "%h:%p", "jump")
    assert settings_from(as_spec(two)) == two


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hosts = [", "it must be TOML"),
        ("", "no hosts"),
        ("hosts = []", "no hosts"),
        ('hosts = ["h"]\npasword = "x"', "'pasword' is not known here"),
        ('hosts = ["h"]\nname = "x"', "'name' is not known here"),
        ('[[hosts]]\nname = "x"', "host 1: no address"),
        ("hosts = [3]", "neither an address nor a table"),
        ('hosts = ["h"]\nport = "22"', "port = '22' is of the wrong type"),
        ('hosts = ["h"]\nport = true', "port = True is of the wrong type"),
        ('hosts = ["h"]\nhost_keys = "maybe"', '"strict" or "accept-new"'),
        ('hosts = ["h"]\nconnect_timeout_s = 0', "above zero"),
        ('hosts = ["-oProxyCommand=id"]', "is no address"),
        ('hosts = ["h"]\nuser = "-l root"', "is no user"),
        ('hosts = ["h"]\nport = 70000', "70000 is no port"),
        ('hosts = ["h"]\njump = "root@:22"', "is no jump host"),
        ('hosts = ["h"]\njump = {user = "x"}', "the jump host has no address"),
        ('hosts = ["h"]\nvia = "/x"', "via is"),
        ('hosts = ["h"]\ndirectory = "x"', "absolute"),
        ('hosts = ["h"]\nproxy_command = [1]', "list of strings"),
        (
            '[[hosts]]\nname = "x"\naddress = "1"\n[[hosts]]\nname = "x"\naddress = "2"',
            "two hosts have the name 'x'",
        ),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(LabFileError) as caught:
        read_lab(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)
