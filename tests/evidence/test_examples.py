"""How many histories written by hand show what checkers without a search find, and what not."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parent.parent
LEAST: Final = 150


def cases_in(path: Path) -> int:
    """Cases drawn in a file: each row of a table of them, else each test; none by Hypothesis."""
    found = 0
    for node in ast.parse(path.read_text()).body:
        if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
            continue
        made = [ast.unparse(each) for each in node.decorator_list]
        if any(each.startswith("given") for each in made):
            continue
        rows = 1
        for each in node.decorator_list:
            if isinstance(each, ast.Call) and ast.unparse(each.func) == "pytest.mark.parametrize":
                table = each.args[1]
                rows *= len(table.elts) if isinstance(table, ast.List | ast.Tuple) else 1
        found += rows
    return found


def test_each_checker_has_histories_drawn_by_hand() -> None:
    files = [*TESTS.glob("evidence/test_*.py"), *TESTS.glob("invariants/test_*.py")]
    others = ("test_examples", "test_compose", "test_etcd_converges")
    counts = {path.stem: cases_in(path) for path in files if path.stem not in others}
    assert sum(counts.values()) >= LEAST, counts
