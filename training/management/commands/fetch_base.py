"""`manage.py fetch_base minilm`: bring a base model onto this machine."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from tqdm import tqdm

from distillery_site.common.commands import Answering
from distillery_site.common.errors import BadInput
from training.student.bases import store


class Command(Answering):
    help = "Fetch a base model at its pinned revision, or register a folder of your own; without a name, list them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", nargs="?", help=f"Its name; the catalogue has {', '.join(store.CATALOGUE)}.")
        parser.add_argument("--from", dest="folder", type=Path, metavar="FOLDER", help="Register this folder; nothing is copied.")

    def handle(self, *, name: str | None, folder: Path | None, json: bool, **options: Any) -> None:
        root = Path(settings.BASES_ROOT)
        if name is None and folder is not None:
            raise BadInput("Give the folder a name: fetch_base NAME --from FOLDER.")
        if name is None:
            self.answer({"bases": {key: _is_here(key, root) for key in _known(root)}}, _table(root), as_json=json)
            return
        place = store.adopt(folder, name, root) if folder else _fetch(name, root)
        card = store.card(place)
        value = {"name": name, "folder": str(place), "revision": card.revision, "licence": card.licence, "sha256": card.sha256}
        self.answer(value, f"{name} is in {place} (revision {card.revision or 'of your own'}).", as_json=json)


def _fetch(name: str, root: Path) -> Path:
    with tqdm(desc=f"fetching {name}", unit="B", unit_scale=True, disable=None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return store.fetch(name, root, progress, cache=Path(settings.VAR) / "cache", token=settings.HF_TOKEN)


def _known(root: Path) -> list[str]:
    own = [path.parent.name for path in sorted(root.glob(f"*/{store.CARD}")) if path.parent.name not in store.CATALOGUE]
    return [*store.CATALOGUE, *own]


def _is_here(name: str, root: Path) -> bool:
    return store.is_here(name, root)


def _table(root: Path) -> str:
    lines = []
    for name in _known(root):
        entry = store.CATALOGUE.get(name)
        about = f"{entry.home}, {entry.bytes / 1e9:.1f} GB, {entry.licence}" if entry else "a folder of your own"
        lines.append(f"{name:20}{'here' if _is_here(name, root) else 'not here':10}{about}")
    return "\n".join(lines)
