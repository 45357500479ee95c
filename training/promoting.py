"""Which student answers for a filter: every change is a row that can be undone."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from distillery_site.common.errors import BadInput, Permanent
from distillery_site.common.models import record
from labeling.models import Filter
from training.models import Deployment, ModelVersion, Promotion

REASON_LENGTH = 500
Gates = Sequence[Mapping[str, Any]]


class GatesClosed(BadInput):
    """A gate is closed and nobody gave a reason to pass it; the problems after the first are what the gates said."""


@transaction.atomic
def promote(
    *,
    model: ModelVersion,
    filter: Filter,  # noqa: A002 (the domain's word)
    alias: str = "champion",
    actor: Any = None,
    gates: Gates = (),
    reason: str = "",
) -> ModelVersion | None:
    """Point a filter's alias at a version; gives the version that answered before. Refuses one that can't answer.

    `gates` are what was checked, [{gate, passed, sentence}]; when one is closed (passed is False) a reason is needed,
    or GatesClosed is raised.
    """
    _check_alias(alias)
    if not model.outputs.filter(version__filter=filter).exists():
        raise BadInput(f"{model} has no output for {filter}, so it can't answer for it.")
    reason = _reason(model, filter, alias, gates, reason)
    before = _lock(filter, alias)
    if before != model:
        _point(filter, alias, model, before, actor, gates, reason)
    return before


@transaction.atomic
def rollback(
    *,
    filter: Filter,  # noqa: A002
    alias: str = "champion",
    actor: Any = None,
    undo: int | None = None,
) -> ModelVersion:
    """Bring back the version that answered before; gives it. Again, and it goes one step further back.

    `undo` is the promotion that the person saw; when that is no longer the one to undo, nothing is changed.
    """
    _check_alias(alias)
    now = _lock(filter, alias)
    last = Promotion.objects.standing(filter, alias)
    if undo is not None and (last is None or last.pk != undo):
        raise BadInput(f"The {alias} of {filter} was changed since this page was opened; look again.")
    if last is None or last.before is None:
        raise BadInput(f"No version was the {alias} of {filter} before, so there is nothing to go back to.")
    told = {"gate": Promotion.ROLLBACK, "passed": True, "undoes": last.pk, "sentence": f"It answered before {last.model} did."}
    _point(filter, alias, last.before, now, actor, [told], f"Rolled back from {last.model}.")
    return last.before


def model_for(filter: Filter, alias: str = "champion") -> ModelVersion:  # noqa: A002
    """The version that answers for a filter. Raises Permanent when none was promoted yet."""
    row = Deployment.objects.select_related("model__dataset").filter(filter=filter, alias=alias).first()
    if row is None:
        raise Permanent(f"{filter.name} has no {alias} yet; promote a student to answer for it.")
    return row.model


def _check_alias(alias: str) -> None:
    if alias not in Deployment.Alias.values:
        raise BadInput(f"There is no alias {alias!r}; there are {' and '.join(Deployment.Alias.values)}.")


def _reason(model: ModelVersion, filter_: Filter, alias: str, gates: Gates, reason: str) -> str:
    """Why a closed gate may be passed; nothing where none is closed, for then there is nothing to justify."""
    closed = [str(gate["sentence"]) for gate in gates if gate["passed"] is False]
    reason = reason.strip()
    if closed and not reason:
        shut = "one gate is" if len(closed) == 1 else f"{len(closed)} gates are"
        raise GatesClosed(f"{model} was not made {alias} of {filter_}, for {shut} closed:", *closed)
    if len(reason) > REASON_LENGTH:
        raise BadInput(f"The reason has {len(reason):,} characters; {REASON_LENGTH} is the most.")
    return reason if closed else ""


def _lock(filter_: Filter, alias: str) -> ModelVersion | None:
    """The version that answers now; until the transaction ends nobody else changes that."""
    Filter.objects.select_for_update(no_key=True).get(pk=filter_.pk)
    row = Deployment.objects.select_related("model").filter(filter=filter_, alias=alias).first()
    return row.model if row else None


def _point(
    filter_: Filter,
    alias: str,
    model: ModelVersion,
    before: ModelVersion | None,
    actor: Any,
    gates: Gates,
    reason: str,
) -> None:
    at = timezone.now()
    pointed = {"model": model, "changed_at": at, "changed_by": actor}
    row, _ = Deployment.objects.update_or_create(filter=filter_, alias=alias, defaults=pointed)
    Promotion.objects.create(
        filter=filter_, alias=alias, model=model, before=before, gates=[*gates], reason=reason, at=at, by=actor
    )
    undone = any(gate["gate"] == Promotion.ROLLBACK for gate in gates)
    after = {**_named(model), **({"reason": reason} if reason else {})}
    record(actor, f"{'roll back' if undone else 'promote'} {alias}", row, before=_named(before) if before else None, after=after)


def _named(model: ModelVersion) -> dict[str, str]:
    return {"model": model.ref, "manifest_sha256": model.manifest_sha256}
