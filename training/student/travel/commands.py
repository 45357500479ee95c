"""The two commands for students that come from elsewhere and go elsewhere; what is heavy is imported when one runs."""

import argparse
from pathlib import Path
from typing import Any

from ..events import Emit

IMPORT, EXPORT = "import-adapter", "export"
COMMANDS = (IMPORT, EXPORT)


def add_commands(commands: Any) -> None:
    """`commands` are argparse's subparsers."""
    coming = commands.add_parser(IMPORT, help="make a student of a PEFT folder that learned elsewhere")
    coming.add_argument("--adapter", required=True, type=Path, metavar="DIR", help="the PEFT folder")
    coming.add_argument("--wish", required=True, type=Path, metavar="FILE", help="JSON: outputs, view, rubric_hashes, texts, …")
    going = commands.add_parser(EXPORT, help="write a student as a folder that scores without this code")
    going.add_argument("--student", required=True, type=Path, metavar="DIR", help="a finished student")
    going.add_argument("--card", required=True, type=Path, metavar="FILE", help="JSON: title, front, text of the model card")
    going.add_argument("--merged", action="store_true", help="multiply the adapters into the base's weights")
    for command in (coming, going):
        command.add_argument("--bases", required=True, type=Path, metavar="DIR", help="the folder that holds base models")
        command.add_argument("--out", required=True, type=Path, metavar="DIR", help="where the new folder goes")
        command.set_defaults(lease=None)  # neither takes long enough to ask others to make room


def run(args: argparse.Namespace, emit: Emit) -> None:
    if args.command == IMPORT:
        from . import adapters

        adapters.take_in(args.adapter, adapters.Wish.read(args.wish), args.out, args.bases, emit)
    else:
        from . import export

        export.give_out(args.student, args.card, args.out, args.bases, emit, merged=args.merged)
