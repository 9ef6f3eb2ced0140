"""What all tests share: how Hypothesis chooses its examples.

In CI every run tries the same examples, so that a red build is about the change in it. On a
developer's machine each run tries new ones. Both print what replays a failure.
"""

import os

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("developer", deadline=None, print_blob=True)
PROFILE = "ci" if os.environ.get("CI") else "developer"
settings.load_profile(PROFILE)


def pytest_report_header(config: pytest.Config) -> str:
    """One line above the tests: which profile chose Hypothesis's examples."""
    seed = config.getoption("hypothesis_seed", default=None)
    return f"examples: profile {PROFILE}" + (f", seed {seed}" if seed is not None else "")
