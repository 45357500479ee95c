"""How another process tells the server what to do wrong, and reads what it has seen: JSON at /_control."""

import json
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from tests.fakes.vendor.http import Reply, Request
from tests.fakes.vendor.ledger import Entry
from tests.fakes.vendor.state import SCRIPTS, Fault, State, Storm

PLAIN = ("seconds", "noise", "gullible", "takes_schema", "polls", "batch_shares", "keep")


def control(state: State, request: Request) -> Reply:
    """GET /_control, /_control/ledger?from=N (JSON lines), /_control/times; POST /_control with what `change` knows."""
    if request.method == "POST":
        change(state, json.loads(request.body))
    answers = {"/_control/ledger": _ledger, "/_control/times": _times}
    return Reply(body=answers.get(request.path, _figures)(state, request))


def change(state: State, wanted: dict[str, Any]) -> None:
    """Unknown names raise KeyError, so that a typing error doesn't pass for a quiet run."""
    for name, value in wanted.items():
        if name in PLAIN:
            setattr(state, name, value)
        else:
            CHANGES[name](state, value)


def _faults(state: State, faults: list[dict[str, Any]]) -> None:
    state.faults = [Fault(**fault) for fault in faults]


def _storm(state: State, storm: dict[str, Any] | None) -> None:
    """{"share": 0.2, "seed": "", "scripts": [{"name": …, "times": …}, …] or left out for all, "without": [names]}"""
    if not storm:
        state.storm = None
        return
    scripts = [script for script in storm.get("scripts", SCRIPTS) if script["name"] not in storm.get("without", ())]
    state.storm = Storm(storm["share"], storm.get("seed", ""), tuple(scripts))


def _reset(state: State, _: Any) -> None:
    """Forget what was seen; what was set stays."""
    for seen in (state.journal, state.ledger, state.times, state.downloads, state.counts, state.asked, state.hit, state.cached):
        seen.clear()
    state.most_busy = state.busy


CHANGES = {
    "faults": _faults,
    "storm": _storm,
    "limits": lambda state, limits: state.limit(**limits),
    "reset": _reset,
}


def _figures(state: State, _: Request) -> bytes:
    seen = {"counts": state.counts, "busy": state.busy, "most_busy": state.most_busy}
    money = {"ledger": len(state.ledger), "billed_usd": str(sum((entry.cost_usd for entry in state.ledger), Decimal(0)))}
    return json.dumps({**seen, **money, "asked": len(state.asked), "downloads": state.downloads}).encode()


def _ledger(state: State, request: Request) -> bytes:
    entries = state.ledger[int(request.query.get("from", 0)) :]
    return b"".join(json.dumps(_words(entry)).encode() + b"\n" for entry in entries)


def _words(entry: Entry) -> dict[str, Any]:
    return {**asdict(entry), "cost_usd": str(entry.cost_usd)}


def _times(state: State, _: Request) -> bytes:
    return json.dumps(state.times).encode()
