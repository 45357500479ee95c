"""The demo's articles as the demo's students read them, without a database: for speed only lengths and words matter."""

from pathlib import Path

from distillery_site.common.text import render_view
from labeling.demo import articles as news
from labeling.rubrics.packages import load_package
from training.student.bases import store
from training.student.data import Corpus, Example, Output, write_corpus

PACKAGES = Path(news.__file__).parent
FILTERS = ("investment_risk", "uplifting")
SHORTEST = 60  # words; the demo's prefilter leaves shorter articles out


def base(folder: Path) -> Path:
    return store.fetch("minilm", folder / "bases", cache=folder / "cache")


def corpus(folder: Path) -> Path:
    """A folder of training rows, made once; its targets are made up, for no error is measured on them."""
    directory = folder / "texts"
    if not (directory / "dataset.json").exists():
        packages = [load_package(PACKAGES / name) for name in FILTERS]
        view = packages[0].view.model_dump()
        outputs = tuple(Output(package.slug, 1, one.key) for package in packages for one in package.dimensions)
        found = Corpus("speed", "speed", outputs, view, {}, examples(folder / "cache", view, len(outputs)))
        write_corpus(directory, found)
    return directory


def examples(cache: Path, view: dict, outputs: int) -> tuple[Example, ...]:
    fields = [{name: row.get(name) or "" for name in ("title", "text", "url")} for row in news.rows(cache)]
    texts = [render_view(row, view["fields"], view["max_words"]) for row in fields if len(row["text"].split()) >= SHORTEST]
    targets = [tuple(float((7 * place + 3 * column) % 11) for column in range(outputs)) for place in range(len(texts))]
    return tuple(
        Example(str(place), text, targets[place], "train" if place else "val") for place, text in enumerate(texts)
    )  # training runs through the first epoch only, so one validation row is enough
