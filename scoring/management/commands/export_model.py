"""`manage.py export_model news-lora/v2 --out DIR`: a folder that scores without this site."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from distillery_site.common.commands import Answering
from scoring.exporting import export_model
from training import lookup


class Command(Answering):
    help = "Write a version as a folder that scores with plain libraries, with a model card; nothing of this code is needed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("model", metavar="NAME[/vN]", help="The version, such as news-lora/v2; without a number the newest.")
        parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="The new folder.")
        parser.add_argument(
            "--merged", action="store_true", help="Multiply the adapters into the base: larger, and needs no peft."
        )

    def handle(self, *, model: str, out: Path, merged: bool, json: bool, **_: Any) -> None:
        chosen, out = lookup.model(model), out.absolute()
        done = export_model(model=chosen, out=out, merged=merged, say=lambda text: print(text, file=sys.stderr))
        value = {"model": chosen.ref, "out": str(out), **{key: done[key] for key in ("files", "bytes", "golden_max_diff")}}
        sentence = (
            f"{chosen.ref} is in {out}: {done['files']} files, {done['bytes'] / 1e6:,.1f} MB. Its own lines gave its reference "
            f"texts their scores to within {done['golden_max_diff']:.5f} points. Its README says how to use it, on whose terms."
        )
        self.answer(value, sentence, as_json=json)
