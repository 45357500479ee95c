"""A Distillery of its own for trainings, in a folder that is kept: a second start goes on where the first one ended."""

import contextlib
import os
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.bench.site import SERVICES, Site


class Kept(Site):
    programs = "engine,default,label,gpu,score,beat"

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.var = folder
        self.env = {name: value for name, value in os.environ.items() if name not in SERVICES} | {"DISTILLERY_VAR": str(folder)}
        self.log = (folder / "up.log").open("w")

    def clear(self) -> None:
        """The folder stays."""


@contextlib.contextmanager
def kept(folder: Path) -> Iterator[Kept]:
    place = Kept(folder)
    try:
        place.begin()
        yield place
    finally:
        place.end()


def mae(options: Namespace) -> dict[str, Any]:
    with kept(options.folder):
        from scripts.bench import train_platform  # it needs the site's tables

        return train_platform.mae(seeds=options.seeds, fast=options.fast)


def coverage(options: Namespace) -> dict[str, Any]:
    with kept(options.folder):
        from scripts.bench import train_platform

        return {"coverage": train_platform.coverage(fast=options.fast)}
