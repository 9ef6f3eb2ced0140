"""The version of the installed distribution, or of the tree when it is not installed."""

from __future__ import annotations

from importlib import metadata


def version() -> str:
    """The version of momus, e.g. ``0.1.0``."""
    try:
        return metadata.version("momus")
    except metadata.PackageNotFoundError:
        return "0 (not installed)"
