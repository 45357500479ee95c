"""A registered version leaves as a folder: its card is written from the tables, its files by a child process."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings

from distillery_site.common.errors import BadInput
from distillery_site.common.models import record
from scoring.cards import card
from training.models import ModelVersion
from training.running import errands
from training.running.child import Event
from training.student import artifact


def export_model(
    *, model: ModelVersion, out: Path, merged: bool = False, actor: Any = None, say: Callable[[str], None] = lambda text: None
) -> Event:
    """Write `model` to the new folder `out`; gives {files, bytes, golden_max_diff}.

    BadInput or Permanent says why not, and then `out` is what it was.
    """
    store = Path(settings.MODELS_ROOT).resolve()
    if out.resolve().is_relative_to(store):
        raise BadInput(f"{out} lies inside the models' own folder, which only holds registered versions: name another place.")
    if not out.parent.is_dir():
        raise BadInput(f"{out.parent} is not a folder.")
    with tempfile.TemporaryDirectory(prefix="distillery-card-") as folder:
        written = Path(folder) / "card.json"
        artifact.write_json(written, card(model, merged=merged))
        words = ["--student", str(model.path), "--card", str(written), "--out", str(out), "--bases", str(settings.BASES_ROOT)]
        done = errands.send(["export", *words, *(["--merged"] if merged else [])], say=say)
    record(actor, "model exported", model, after={"merged": merged})
    return done
