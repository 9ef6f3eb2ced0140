"""Banks: no money appears or vanishes, and nobody is overdrawn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.evidence import Bank
from histories import History, Json, Op
from tests.checker.drawing import drawn

MOVE = '|-transfer {"from":"a","to":"b","amount":5}-|'
"""Without a transfer a bank shows nothing."""

KINDS = ("unexpected-key", "missing-key", "nil-balance", "wrong-total", "negative-value")


def judged(drawing: str, bank: Bank | None = None) -> tuple[bool | str, dict[str, int]]:
    verdict = (bank or Bank()).check(drawn(drawing))
    counts = {kind: verdict.details[kind]["count"] for kind in KINDS if kind in verdict.details}
    return verdict.valid, counts


def test_totals_that_stay_are_fine() -> None:
    assert judged(f"""
        0 {MOVE}
        1 |-read {{"a":10,"b":0}}-| |-read {{"a":5,"b":5}}-|
    """) == (True, {})


def test_half_of_a_transfer_is_not() -> None:
    assert judged(f"""
        0 {MOVE}
        1 |-read {{"a":10,"b":0}}-| |-read {{"a":5,"b":0}}-| |-read {{"a":5,"b":5}}-|
        2 |-read {{"a":10,"b":0}}-|
    """) == (False, {"wrong-total": 1})


def test_the_total_may_be_told() -> None:
    drawing = f"""
        0 {MOVE}
        1 |-read {{"a":10,"b":0}}-|
    """
    assert judged(drawing, Bank(total=10)) == (True, {})
    assert judged(drawing, Bank(total=11)) == (False, {"wrong-total": 1})


def test_an_overdrawn_account_is_told_unless_it_may_be() -> None:
    drawing = f"""
        0 {MOVE}
        1 |-read {{"a":10,"b":0}}-| |-read {{"a":-5,"b":15}}-|
    """
    assert judged(drawing) == (False, {"negative-value": 1})
    assert judged(drawing, Bank(negative_balances=True)) == (True, {})


def test_a_balance_of_nothing_is_not_overdrawn() -> None:
    assert judged(f"""
        0 {MOVE}
        1 |-read {{"a":10,"b":0}}-| |-read {{"a":0,"b":10}}-|
    """) == (True, {})


@pytest.mark.parametrize(
    ("balances", "kind"),
    [
        ('{"a":5,"b":5,"c":0}', "unexpected-key"),
        ('{"a":10}', "missing-key"),
        ('{"a":10,"b":null}', "nil-balance"),
    ],
)
def test_accounts_stay_as_they_are(balances: str, kind: str) -> None:
    assert judged(
        f"""
        0 {MOVE}
        1 |-read {{"a":10,"b":0}}-| |-read {balances}-|
    """,
        Bank(accounts=("a", "b")),
    ) == (False, {kind: 1})


def test_both_troubles_of_one_read_count() -> None:
    assert judged(f"""
        0 {MOVE}
        1 |-read {{"a":10,"b":0}}-| |-read {{"a":-5,"b":5}}-| |-read {{"a":5,"b":5}}-|
    """) == (False, {"wrong-total": 1, "negative-value": 1})


def test_a_read_of_some_accounts_has_no_total() -> None:
    ops = [
        Op("transfer", {"from": "a", "to": "b", "amount": 5}, process=0),
        Op("transfer", {"from": "a", "to": "b", "amount": 5}, process=0, type="ok"),
        Op("read", process=1),
        Op("read", {"a": 5, "b": 5}, process=1, type="ok"),
        Op("read", ["a"], process=1),
        Op("read", {"a": 5}, process=1, type="ok"),
    ]
    assert Bank().check(History.from_ops(ops)).valid is True
    ops[-1] = Op("read", {"a": -5}, process=1, type="ok")
    assert Bank().check(History.from_ops(ops)).valid is False


@pytest.mark.parametrize("end", ["x", "..."])
def test_what_a_read_did_not_answer_is_no_balance(end: str) -> None:
    assert judged(f"""
        0 {MOVE}
        1 |-read {{"a":10,"b":0}}-| |-read {{"a":7,"b":0}}-{end}
    """) == (True, {})


def test_fractions_and_great_numbers_count_exactly() -> None:
    great = 10**30
    assert (
        judged(f"""
        0 {MOVE}
        1 |-read {{"a":{great},"b":0.5}}-| |-read {{"a":{great - 1},"b":1.5}}-|
    """)[0]
        is True
    )
    assert judged(f"""
        0 {MOVE}
        1 |-read {{"a":{great},"b":0}}-| |-read {{"a":{great},"b":1}}-|
    """) == (False, {"wrong-total": 1})


def test_names_with_quotes_are_names() -> None:
    accounts: list[Json] = [{'":1,"': 3, "b": 4}, {'":1,"': 4, "b": 3}, {'":1,"': 4, "b": 4}]
    ops = [Op("transfer", process=0), Op("transfer", process=0, type="ok")]
    for balances in [accounts[0], *accounts]:
        ops += [Op("read", process=0), Op("read", balances, process=0, type="ok")]
    verdict = Bank().check(History.from_ops(ops))
    assert verdict.details["wrong-total"]["count"] == 1


def test_the_worst_read_is_told_besides_the_first() -> None:
    verdict = Bank(total=10).check(
        drawn(f"""
        0 {MOVE}
        1 |-read {{"a":10,"b":0}}-| |-read {{"a":9,"b":0}}-| |-read {{"a":1,"b":0}}-|
    """)
    )
    [found] = verdict.counterexamples
    assert "the total of which is 9, not 10" in found.sentence
    assert [event.value for event in found.operations] == [{"a": 9, "b": 0}, {"a": 1, "b": 0}]
    assert (verdict.details["wrong-total"]["lowest"], verdict.details["error_count"]) == (1, 2)


@pytest.mark.parametrize(
    ("drawing", "sentence"),
    [
        (f"0 {MOVE}", "No read"),
        ('0 |-read {"a":10,"b":0}-|', "No transfer"),
        ('0 |-read {"a":10,"b":0}-| |-transfer>false-|', "No transfer"),
    ],
)
def test_without_reads_or_transfers_nothing_is_shown(drawing: str, sentence: str) -> None:
    verdict = Bank().check(drawn(drawing))
    assert verdict.valid == "unknown"
    assert verdict.unknown is not None
    assert (verdict.unknown.cause, sentence in verdict.unknown.sentence) == ("vacuous", True)


def test_something_else_than_balances_is_refused() -> None:
    with pytest.raises(ValueError, match="a bank answers a read with"):
        Bank().check(drawn(f"0 {MOVE} |-read [1,2]-|"))


@given(
    st.lists(st.integers(0, 2), min_size=1, max_size=30),
    st.integers(2, 5),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_as_many_bad_reads_are_found_as_were_planted(
    faults: list[int], accounts: int, escaped: bool, random: object
) -> None:
    from random import Random

    assert isinstance(random, Random)
    balances = {f"a{n}" + '"' * escaped: 20 for n in range(accounts)}
    total = 20 * accounts
    ops = [Op("transfer", process=0), Op("transfer", process=0, type="ok")]
    for fault in faults:
        giver, taker = random.sample(sorted(balances), 2)
        amount = random.randint(0, balances[giver])
        balances[giver] -= amount
        balances[taker] += amount
        answer = dict(balances)
        if fault == 1:
            answer[giver] += 1
        if fault == 2:
            answer[giver], answer[taker] = -3, answer[taker] + answer[giver] + 3
        ops += [Op("read", process=0), Op("read", answer, process=0, type="ok")]
    bank = Bank(accounts=tuple(sorted(balances)), total=total)
    details = bank.check(History.from_ops(ops)).details
    assert details.get("wrong-total", {"count": 0})["count"] == faults.count(1)
    assert details.get("negative-value", {"count": 0})["count"] == faults.count(2)
