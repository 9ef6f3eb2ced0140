"""What came of one case, small enough to send from process to process and to keep.

A run ends in one of five ways.  `valid` and `invalid` are verdicts; `unknown` is none, and so
is a run that showed next to nothing (vacuous), which never counts as passed; `hung` is one that
had to be killed, `broke` one in which the harness or the system's own code for it failed.

Whatever is not valid has causes.  A *cause* is who complained and of what kind the complaint
is, without names and numbers, so that a thousand failures become a few groups.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

import msgspec
import numpy as np
from msgspec import structs

from checker import Counterexample, Unknown, Valid, Verdict
from checker.evidence import Vacuity
from histories import NEMESIS, History
from simulation._running import Played
from simulation.scenario import Case

Ending: TypeAlias = Literal["valid", "invalid", "unknown", "hung", "broke"]

KIND_CHARACTERS_MAX: Final = 120
_SENTENCE_CHARACTERS_MAX: Final = 600

_QUOTED: Final = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'")
_BRACKETED: Final = re.compile(r"\[[^\[\]]*\]|\{[^{}]*\}|\([^()]*\)")
_NUMBERED: Final = re.compile(r"\b[\w./-]*\d[\w./+-]*")
_LISTED: Final = re.compile(r"#(?:(?:, | and | or |, and )#)+")
_CLAUSE_END: Final = re.compile(r"[:;]\s|\.\s|\.$")


class Cause(msgspec.Struct, frozen=True):
    """Who complained (a checker, by its name in the scenario), and of what."""

    checker: str
    kind: str


class Result(msgspec.Struct, frozen=True):
    """One case that was played, or could not be.

    `causes` are those of what is not valid, the first checker's first; `sentence` is that of
    the first.  `digest` is of the history (see `digest_of`), `checkers` what each said,
    `points` how often each crash point was reached and `crashes` how often power was lost there,
    `deaths` why nodes died of themselves.
    """

    case: Case
    ending: Ending
    causes: tuple[Cause, ...] = ()
    sentence: str = ""
    digest: str = ""
    events: int = 0
    operations: int = 0
    faults: int = 0
    messages: int = 0
    seconds: float = 0.0
    virtual_s: float = 0.0
    checkers: dict[str, Valid] = {}
    points: dict[str, int] = {}
    crashes: dict[str, int] = {}
    deaths: dict[str, tuple[str, ...]] = {}


def result_of(played: Played) -> Result:
    """The result of a case that was played to its end."""
    verdict = shown(played)
    ending, causes, sentence = _ended(played, verdict)
    outcome = played.outcome
    return Result(
        case=played.case,
        ending=ending,
        causes=causes,
        sentence=sentence[:_SENTENCE_CHARACTERS_MAX],
        digest=digest_of(played.history),
        events=len(played.history),
        operations=outcome.ok + outcome.fail + outcome.info,
        faults=_strikes(played.history),
        messages=played.messages,
        seconds=played.seconds,
        virtual_s=played.virtual_s,
        checkers={name: part.valid for name, part in verdict.parts.items()},
        points=dict(played.points),
        crashes=dict(played.crashes),
        deaths=dict(played.deaths),
    )


def failed(case: Case, ending: Literal["hung", "broke"], sentence: str) -> Result:
    """The result of a case that was not played to its end."""
    kind = "no end" if ending == "hung" else kind_of(sentence)
    return Result(case, ending, (Cause(ending, kind),), sentence[:_SENTENCE_CHARACTERS_MAX])


def shown(played: Played) -> Verdict:
    """The verdict, which is unknown where it is valid and the run showed next to nothing.

    Something has to have succeeded, of more than one client unless there was but one, and
    some fault must have had an effect if any was ordered.
    """
    verdict, history = played.verdict, played.history
    if verdict.valid is not True:
        return verdict
    several = min(2, len(np.unique(history.process[history.process >= 0])))
    why = Vacuity(operation=0, node=0, window=0, clients=several, share=0.0).check(history).unknown
    if why is None and _faults_failed(history):
        why = Unknown(
            "vacuous",
            "No fault that was ordered had an effect.",
            "See in the completions of the nemesis why; more seeds may do.",
        )
    return verdict if why is None else structs.replace(verdict, valid="unknown", unknown=why)


def digest_of(history: History) -> str:
    """SHA-256 of the events as lines of JSON with sorted keys, as certificates have it."""
    lines = msgspec.json.Encoder(order="sorted").encode_lines(list(history))
    return f"sha256:{hashlib.sha256(lines).hexdigest()}"


def kind_of(sentence: str) -> str:
    """The first clause of a sentence, with # for all that has a number in it or is quoted."""
    clause = sentence
    for pattern in (_QUOTED, _BRACKETED, _BRACKETED, _NUMBERED):
        clause = pattern.sub("#", clause)
    clause = _CLAUSE_END.split(clause, maxsplit=1)[0]
    return _LISTED.sub("#", " ".join(clause.split()))[:KIND_CHARACTERS_MAX]


def complaint(found: Counterexample, history: History) -> str:
    """The kind of a counterexample, as causes have it.

    Of an operation that no order explains it is what it was, else the sentence's first clause.
    """
    if found.operation is not None:
        return f"{history[found.operation].f} that no order explains"
    return kind_of(found.sentence)


def _ended(played: Played, verdict: Verdict) -> tuple[Ending, tuple[Cause, ...], str]:
    if verdict.valid is False:
        causes = tuple(_causes(verdict, played.history))
        return "invalid", causes, verdict.counterexamples[0].sentence
    error = played.outcome.error
    if error is not None:
        told = f"{played.outcome.stage}: {type(error).__name__}: {error}"
        return "broke", (Cause("broke", kind_of(told)),), told
    if verdict.valid is True:
        return "valid", (), ""
    causes = tuple(
        Cause(name, part.unknown.cause)
        for name, part in verdict.parts.items()
        if part.unknown is not None
    )
    why = verdict.unknown
    causes = causes or (Cause("vacuity", "vacuous" if why is None else why.cause),)
    return "unknown", causes, "" if why is None else why.sentence


def _causes(verdict: Verdict, history: History) -> Iterator[Cause]:
    for name, part in verdict.parts.items():
        if part.valid is False:
            kinds = dict.fromkeys(complaint(each, history) for each in part.counterexamples)
            yield from (Cause(name, kind) for kind in list(kinds) or ["does not hold"])


def _faults_failed(history: History) -> bool:
    ends = [each.type for each in history.of_process(NEMESIS) if each.f.startswith("start-")]
    return bool(ends) and "ok" not in ends


def _strikes(history: History) -> int:
    return sum(
        event.type == "invoke" and event.f.startswith("start-")
        for event in history.of_process(NEMESIS)
    )
