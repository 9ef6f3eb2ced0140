"""README.md and the docs tell the truth: their programs run, their links lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def blocks(language: str) -> list[str]:
    """The code blocks of README.md in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def momus(*words: str) -> subprocess.CompletedProcess[str]:
    """The outcome of one `momus` command in the root of the project."""
    return subprocess.run(
        [sys.executable, "-m", "momus", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_first_two_commands_are_demo_and_test() -> None:
    commands = re.findall(r"^    (\S.*?)(?:\s+#.*)?$", README, re.MULTILINE)
    assert commands[:2] == ["make demo", "make test"]


def test_the_recording_in_the_readme_is_the_example_file() -> None:
    assert (ROOT / "docs" / "examples" / "stale-read.jsonl").read_text() in blocks("json")


def test_the_example_gives_the_sentence_that_the_readme_shows() -> None:
    shown = next(block for block in blocks("console") if "momus check" in block)
    command, _, answer = shown.partition("\n")
    outcome = momus(*command.removeprefix("$ momus ").split())
    assert outcome.returncode == 1, outcome
    sentence = " ".join(answer.split("\n\n")[1].split())
    assert sentence in " ".join(outcome.stdout.split())


def test_the_programs_in_the_readme_run() -> None:
    program = "\n".join(blocks("python"))
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=120)


def test_every_option_in_the_readme_exists() -> None:
    lines = [line for block in blocks("console") for line in block.splitlines()]
    commands = [line.partition("#")[0].split()[2:] for line in lines if line.startswith("$ momus")]
    named = {"check", "run", "list", "heal", "doctor", "lab", "sim", "replay", "shrink", "audit"}
    assert {words[0] for words in commands} == named
    for words in commands:
        command = words[:2] if words[0] == "lab" else words[:1]
        known = momus(*command, "--help").stdout
        for option in (word for word in words if word.startswith("--")):
            assert option in known, f"momus {words[0]} has no {option}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_between_the_pages_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / link).exists(), f"{page.name} links to {link}"
