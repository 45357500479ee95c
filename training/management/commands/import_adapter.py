"""`manage.py import_adapter DIR --filter uplifting`: a student that learned elsewhere joins the registry."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from distillery_site.common.commands import Answering
from training import lookup
from training.importing import import_adapter
from training.models import ModelVersion


class Command(Answering):
    help = "Take in a PEFT folder of any age as a version that can be measured, promoted and exported like any other."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add("folder", type=Path, metavar="DIR", help="The folder with adapter_config.json and adapter_model.safetensors.")
        add("--filter", action="append", default=[], metavar="SLUG[@N]", help="A filter it answers for; repeatable, in order.")
        add("--name", default="", help="The model's name; by default the folder's.")
        add("--base", default="", metavar="NAME|HASH", help="Its base model, by name or the beginning of its weights' SHA-256.")
        add("--dimensions", default="", metavar="a,b,c", help="What the head's rows are, in order; by default the rubrics'.")
        add("--pooling", choices=["last", "mean"], default="", help="What its head reads, where the folder doesn't tell.")
        add("--max-tokens", type=int, default=0, metavar="N", help="How much of an article it reads.")

    def handle(self, *, folder: Path, filter: list[str], dimensions: str, json: bool, **options: Any) -> None:  # noqa: A002
        model = import_adapter(
            folder=folder.absolute(),
            versions=[lookup.version(text) for text in filter],
            dimensions=[name for name in dimensions.split(",") if name.strip()],
            say=lambda text: print(text, file=sys.stderr),
            **{key: options[key] for key in ("name", "base", "pooling", "max_tokens")},
        )
        value = {"model": model.ref, "manifest_sha256": model.manifest_sha256, "origin": model.origin}
        self.answer(value, _sentence(model), as_json=json)


def _sentence(model: ModelVersion) -> str:
    named = ", ".join(f"{o['filter']}.{o['dimension']}" for o in model.manifest["outputs"])
    return (
        f"{model.ref} is registered, on the base {model.manifest['base']['name']}. Its head's rows are, in order: {named}.\n"
        f"Nobody here knows how well it scores: measure it with manage.py benchmark {model.ref}."
    )
