"""``momus verify``: does a certificate prove that a history is valid?

The answer owes nothing to the search: the order in the certificate is replayed through the
model, and each operation is given a point in time (`checker.verify`).  What the certificate
says of itself is not believed; the model and the initial value are part of what it proves,
and are told, or may be insisted on.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from momus._answer import print_json
from momus._exits import ExitCode
from momus._sources import expand, load
from momus._telling import printable, word


def run_verify(
    name: str,
    proof: Path,
    *,
    model: str | None,
    initial: tuple[Any] | None,
    as_json: bool,
    format: str | None,
) -> int:
    """Verify, tell, return the exit code: 0 if it is proven, 1 if not."""
    import checker

    claim = checker.read_certificate(proof)
    [source] = expand([name])
    history = load(source, format).history
    why = _unlike(claim, model, initial) or checker.refusal(history, claim)
    orders = sum(len(each.order) for each in claim.keys)
    if as_json:
        found = {
            "proven": why is None,
            "reason": why,
            "model": claim.model,
            "initial": claim.initial,
            "consistency": claim.consistency,
            "operations": orders,
            "keys": len(claim.keys),
            "file": name,
            "certificate": str(proof),
        }
        print_json(found)
    elif why is None:
        begun = json.dumps(claim.initial, ensure_ascii=False)
        facts = f"{orders:,} operations of {len(claim.keys):,} keys in order"
        if claim.consistency == "sequential":
            facts = f"{orders:,} operations in the order of each process, not of real time"
        told = f"proven by {printable(proof)}: {facts}, {claim.model}, begun at {printable(begun)}"
        click.echo(f"{word(True)}  {printable(name)}  ({told})")
    else:
        told = f"{printable(proof)} does not prove {printable(name)} valid: {printable(why)}"
        click.echo(f"{click.style('REFUSED', fg='red', bold=True)}  {told}")
    return ExitCode.VALID if why is None else ExitCode.INVALID


def _unlike(claim: Any, model: str | None, initial: tuple[Any] | None) -> str | None:
    """Where it claims something else than what the user wants to have proven."""
    from histories import canonical

    if model is not None and claim.model != model:
        return f"it is about the model {claim.model}, not {model}"
    if initial is not None and canonical(claim.initial) != canonical(initial[0]):
        return f"it is about the initial value {json.dumps(claim.initial)}"
    return None
