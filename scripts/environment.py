"""Makes the virtual environment that every make target works in.

`make` runs this file with the Python it found (3.11 or newer), so it uses the standard library
only. It checks for what momus cannot install by itself, a Rust toolchain, and says how to get
it; then it makes the environment. Debian and its children ship Python without `ensurepip`
unless `python3-venv` is installed, which an ordinary user cannot do: there the environment
is made bare and pip comes from its own wheel on the package index, found through pip's own
settings (PIP_INDEX_URL, or index-url in pip's configuration) and checked by its hash.
"""

import configparser
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

DOWNLOAD_TIMEOUT_S = 60
DEFAULT_INDEX = "https://pypi.org/simple"
ROOT = Path(__file__).resolve().parent.parent


def fail(what: str, try_next: str) -> NoReturn:
    """End with a message of two lines: what is wrong, and what to do about it."""
    sys.exit(f"momus set-up: {what}\n  try: {try_next}")


def rust_least() -> tuple[int, ...]:
    """The oldest Rust that the crate declares it builds with."""
    manifest = (ROOT / "engine" / "Cargo.toml").read_text()
    declared = re.search(r'^rust-version = "([\d.]+)"', manifest, re.MULTILINE)
    assert declared, "engine/Cargo.toml declares no rust-version"
    return tuple(map(int, declared[1].split(".")))


def check_rust() -> None:
    """Refuse a machine without a Rust toolchain that is new enough, and with no C linker."""
    install = "install one from https://rustup.rs (no root needed) and open a new shell"
    least = rust_least()
    wanted = ".".join(map(str, least))
    for tool in ("cargo", "rustc"):
        path = shutil.which(tool)
        if path is None:
            fail(
                f"no `{tool}` on PATH; the engine of momus is compiled, with Rust >= {wanted}",
                install,
            )
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60)
        found = re.search(r"(\d+)\.(\d+)\.(\d+)", answer.stdout)
        if answer.returncode or not found:
            fail(
                f"`{path} --version` failed: {answer.stderr.strip().splitlines()[:1]}",
                "rustup default stable",
            )
        if tuple(map(int, found.groups())) < least:
            fail(
                f"{path} is {found[0]}; the engine needs Rust >= {wanted}",
                f"rustup update stable; or {install}",
            )
    if not any(map(shutil.which, ("cc", "gcc", "clang"))):
        fail("no C compiler on PATH; Rust links with it", "apt-get install gcc, or ask an admin")


def package_index() -> str:
    """The index pip would use: its variable, else its configuration files, else PyPI."""
    if named := os.environ.get("PIP_INDEX_URL"):
        return named
    home = Path.home()
    files = [
        Path("/etc/pip.conf"),
        home / ".pip" / "pip.conf",
        Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf",
    ]
    if named := os.environ.get("PIP_CONFIG_FILE"):
        files.append(Path(named))
    settings = configparser.RawConfigParser()
    settings.read(files)
    for section in ("install", "global"):
        if settings.has_option(section, "index-url"):
            return settings.get(section, "index-url")
    return DEFAULT_INDEX


def fetch(url: str, accept: str = "*/*") -> bytes:
    """The bytes at `url`, or the end of the set-up with a reason."""
    if not url.startswith(("https://", "http://", "file://")):
        fail(f"cannot fetch pip from {url!r}", "set PIP_INDEX_URL to an https address")
    request = urllib.request.Request(url, headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=DOWNLOAD_TIMEOUT_S) as answer:
            body = answer.read()
    except (urllib.error.URLError, OSError) as error:
        fail(
            f"fetching {url}: {error}",
            "check the network and PIP_INDEX_URL, or install python3-venv",
        )
    assert isinstance(body, bytes)
    return body


def pip_wheels(index: str) -> Iterator[tuple[tuple[int, ...], str, str]]:
    """Every released pip wheel the index offers: version, address, SHA-256."""
    page_address = f"{index.rstrip('/')}/pip/"
    page = fetch(page_address, "application/vnd.pypi.simple.v1+json, text/html;q=0.5")
    if page.lstrip().startswith(b"{"):
        links = [
            (file["url"], file["hashes"].get("sha256", ""))
            for file in json.loads(page)["files"]
            if not file.get("yanked")
        ]
    else:
        hrefs = re.findall(rb'<a [^>]*href="([^"]+)"', page)
        links = [tuple(href.decode().partition("#sha256=")[::2]) for href in hrefs]
    for link, sha256 in links:
        if named := re.search(r"/pip-(\d+(?:\.\d+)*)-py3-none-any\.whl$", link):
            version = tuple(map(int, named[1].split(".")))
            yield version, urllib.parse.urljoin(page_address, link), sha256


def bootstrap_pip(python: Path) -> None:
    """Install pip into a bare environment, by running pip out of its own wheel."""
    index = package_index()
    version, address, sha256 = max(
        pip_wheels(index), default=((), "", ""), key=lambda wheel: wheel[0]
    )
    if not version:
        fail(f"{index} offers no pip", "install python3-venv, or set PIP_INDEX_URL")
    body = fetch(address)
    if sha256 and hashlib.sha256(body).hexdigest() != sha256:
        fail(f"{address} does not have the SHA-256 {sha256} that the index promises", "try again")
    wheel = python.parent.parent / address.rpartition("/")[2]
    wheel.write_bytes(body)
    # A wheel is a zip file, and Python runs a package inside a zip file.
    subprocess.run(
        [python, wheel / "pip", "install", "--quiet", "--no-index", wheel], check=True, timeout=300
    )
    wheel.unlink()


def make_environment(folder: Path) -> Path:
    """Make the environment anew in `folder`; its Python."""
    try:
        import ensurepip  # noqa: F401  (absent on Debian without python3-venv)

        has_pip = True
    except ImportError:
        has_pip = False
    venv.create(folder, clear=True, symlinks=True, with_pip=has_pip)
    python = folder / "bin" / "python"
    if not has_pip:
        print("momus set-up: this Python has no ensurepip; fetching pip itself")
        bootstrap_pip(python)
    return python


def main() -> None:
    """Check the machine, then make the environment named on the command line."""
    check_rust()
    (folder,) = sys.argv[1:]
    python = make_environment(Path(folder))
    print(f"momus set-up: {folder} made with Python {sys.version.split()[0]} at {python}")


if __name__ == "__main__":
    main()
