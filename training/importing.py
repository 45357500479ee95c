"""A student that learned elsewhere joins the registry: a child process reads it, and rows come last."""

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.text import slugify

from distillery_site.common.errors import BadInput
from distillery_site.common.models import record
from labeling.models import Article, FilterVersion
from training.models import ModelVersion
from training.registry import register_imported
from training.running import errands
from training.student import artifact
from training.student.data import Output

_DAY = 24 * 60 * 60
_FEWEST_TOKENS = 8
_TEXTS = 40  # newest articles, of which some become reference texts


def import_adapter(
    *,
    folder: Path,
    versions: Sequence[FilterVersion],
    name: str = "",
    dimensions: Sequence[str] = (),
    base: str = "",
    pooling: str = "",
    max_tokens: int = 0,
    actor: Any = None,
    say: Callable[[str], None] = lambda text: None,
) -> ModelVersion:
    """Take a PEFT folder in as the next version of `name`, answering for these filters; `say` hears its notes.

    `dimensions` is the order of its head's rows, by default the rubrics'. The same adapter for the same outputs is taken in
    once. BadInput or Permanent says what doesn't fit, and then nothing is registered.
    """
    name = name or slugify(folder.resolve().name)
    if not name or slugify(name) != name.lower():
        raise BadInput(f"{name!r} can't name a model; use letters, digits, hyphens and underscores, with --name.")
    if max_tokens and max_tokens < _FEWEST_TOKENS:
        raise BadInput(f"A student that reads {max_tokens} tokens reads nothing; --max-tokens starts at {_FEWEST_TOKENS}.")
    outputs = in_order(versions, dimensions)
    wish = {
        "outputs": [asdict(output) for output in outputs],
        "view": _view(versions),
        "rubric_hashes": {version.filter.slug: version.rubric_hash for version in versions},
        "texts": _texts(versions),
        "base": base,
        "pooling": pooling,
        "max_tokens": max_tokens,
    }
    model = _taken_in(folder, wish, name, versions, say)
    record(actor, "model imported", model, after={"model": model.ref, "origin": model.origin})
    return model


def _taken_in(
    folder: Path, wish: dict[str, Any], name: str, versions: Sequence[FilterVersion], say: Callable[[str], None]
) -> ModelVersion:
    nursery = Path(settings.MODELS_ROOT) / ".unfinished"
    nursery.mkdir(parents=True, exist_ok=True)
    _sweep(nursery)
    work = Path(tempfile.mkdtemp(prefix="import-", dir=nursery))
    try:
        artifact.write_json(work / "wish.json", wish)
        words = ["--adapter", str(folder), "--wish", str(work / "wish.json"), "--out", str(work / "student")]
        errands.send(["import-adapter", *words, "--bases", str(settings.BASES_ROOT)], say=say)
        return register_imported(out_dir=work / "student", name=name, versions=versions)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _sweep(nursery: Path) -> None:
    """Remove what killed imports left; no import takes a day."""
    for left in nursery.glob("import-*"):
        if left.stat().st_mtime < time.time() - _DAY:
            shutil.rmtree(left, ignore_errors=True)


def in_order(versions: Sequence[FilterVersion], dimensions: Sequence[str]) -> list[Output]:
    """The head's rows: the rubrics' dimensions, in the order that a person gave (`impact`, or `uplifting.impact`)."""
    if not versions:
        raise BadInput("Name the filters that it answers for, with --filter.")
    there = {f"{v.filter.slug}.{key}": Output(v.filter.slug, v.number, key) for v in versions for key in v.keys}
    if not dimensions:
        return list(there.values())
    meant = [_full(name.strip(), list(there)) for name in dimensions]
    left = [name for name in there if name not in meant]
    if left or len(set(meant)) < len(meant):
        raise BadInput(f"--dimensions must name each of {', '.join(there)} once; it {_fault(meant, left)}.")
    return [there[name] for name in meant]


def _full(name: str, there: Sequence[str]) -> str:
    found = [one for one in there if name in (one, one.partition(".")[2])]
    if len(found) != 1:
        raise BadInput(f"--dimensions names {name!r}, which is {'in several' if found else 'no dimension of'} the filters.")
    return found[0]


def _fault(meant: Sequence[str], left: Sequence[str]) -> str:
    twice = sorted({name for name in meant if meant.count(name) > 1})
    parts = [f"lacks {', '.join(left)}" if left else "", f"has {', '.join(twice)} twice" if twice else ""]
    return " and ".join(filter(None, parts))


def _view(versions: Sequence[FilterVersion]) -> dict[str, Any]:
    views = [version.view for version in versions]
    if any(view != views[0] for view in views):
        raise BadInput(
            f"{' and '.join(map(str, versions))} show different parts of an article, so one student can't read for all."
        )
    return dict(views[0])


def _texts(versions: Sequence[FilterVersion]) -> list[str]:
    """Articles as it will read them; a site without any has its reference texts from elsewhere."""
    return [article.rendered(versions[0].view) for article in Article.objects.order_by("-pk")[:_TEXTS]]
