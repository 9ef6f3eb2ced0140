"""Ordinary values become generators."""

from __future__ import annotations

from itertools import count

import pytest

import generators as gen
from generators import Context, GeneratorError, simulate
from histories import Op


def values(generator: gen.Liftable, **options: object) -> list[object]:
    """What was invoked, in order."""
    return [e.value for e in simulate(generator, nemesis=False, **options) if e.type == "invoke"]  # type: ignore[arg-type]


def test_an_operation_is_emitted_once() -> None:
    assert values(Op("write", 1)) == [1]


def test_a_dict_is_an_operation() -> None:
    (invoke, ok) = simulate({"f": "cas", "key": "x", "value": [1, 2]}, concurrency=1, nemesis=False)
    assert (invoke.f, invoke.key, invoke.value, invoke.process) == ("cas", "x", [1, 2], 0)
    assert (ok.type, ok.time) == ("ok", gen.LATENCY_NS)


def test_a_list_is_its_elements_in_order() -> None:
    assert values([Op("write", 1), [Op("write", 2), None], {"f": "write", "value": 3}]) == [1, 2, 3]


def test_nothing_is_exhausted() -> None:
    assert gen.lift(None) is None
    assert gen.lift([]) is None
    assert gen.lift([None, []]) is None
    assert simulate(iter(())) == []


def test_a_function_is_asked_for_every_operation() -> None:
    made = iter([Op("write", 1), Op("write", 2), None])
    assert values(lambda: next(made)) == [1, 2]


def test_a_function_may_look_at_the_context() -> None:
    def write(ctx: Context) -> Op:
        return Op("write", ctx.random.randrange(1000))

    assert values(gen.limit(5, write), seed=1) == values(gen.limit(5, write), seed=1)
    assert values(gen.limit(5, write), seed=1) != values(gen.limit(5, write), seed=2)


def test_a_function_may_answer_with_several_operations() -> None:
    assert values(gen.limit(5, lambda: [Op("write", 1), Op("write", 2)])) == [1, 2, 1, 2, 1]


def test_a_function_is_not_asked_while_everybody_is_busy() -> None:
    asked = []

    def write() -> Op | None:
        asked.append(1)
        return Op("write", len(asked)) if len(asked) < 4 else None

    assert values(write, concurrency=1) == [1, 2, 3]
    assert len(asked) == 4


def test_an_iterator_is_read_lazily_and_once() -> None:
    taken = []

    def numbers() -> object:
        for i in count():
            taken.append(i)
            yield {"f": "write", "value": i}

    assert values(gen.limit(3, numbers())) == [0, 1, 2]  # type: ignore[arg-type]
    assert taken == [0, 1, 2]


def test_an_iterator_gives_the_same_to_everyone_who_asks_the_same_value() -> None:
    writes = gen.lift({"f": "write", "value": i} for i in range(2))
    assert values(writes) == values(writes) == [0, 1]


def test_an_operation_for_a_busy_process_waits_for_it() -> None:
    first, second = Op("write", 1, process=0), Op("write", 2, process=0)
    invoked = [e.time for e in simulate([first, second], concurrency=2) if e.type == "invoke"]
    assert invoked == [0, gen.LATENCY_NS]


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("read", "did you mean Op"),
        (3, "is not a generator"),
        ({"f": "read", "valeu": 1}, "no field 'valeu'"),
        ({"value": 1}, 'needs "f"'),
        (lambda a, b: (a, b), "takes 2 arguments"),
    ],
)
def test_what_cannot_be_a_generator_is_refused(value: object, complaint: str) -> None:
    with pytest.raises(GeneratorError, match=complaint):
        gen.lift(value)  # type: ignore[arg-type]
