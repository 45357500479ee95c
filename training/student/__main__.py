"""`python -m training.student fit …`: learn one student from a data set's folder, and say how it goes on stdout."""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

from distillery_site.common.errors import BadInput

from . import artifact, config, finish, lease, parallel
from .artifact import MANIFEST
from .data import Corpus, read_corpus
from .events import Emit, exit_code, to_stdout
from .travel import commands as travel


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="python -m training.student", description=__doc__)
    commands = root.add_subparsers(dest="command", required=True)
    fit = commands.add_parser(
        "fit", help="train a student; run again with the same --out it resumes, and a finished one is left as it is"
    )
    estimate = commands.add_parser("estimate", help="say after a lora's first steps what all of it will take; nothing is kept")
    for command in (fit, estimate):
        _add_arguments(command)
    travel.add_commands(commands)
    return root


def _add_arguments(fit: argparse.ArgumentParser) -> None:
    fit.add_argument("--kind", required=True, choices=list(config.KINDS))
    fit.add_argument("--data", required=True, type=Path, metavar="DIR", help="dataset.json and examples.jsonl")
    fit.add_argument("--out", required=True, type=Path, metavar="DIR", help="where the student goes")
    fit.add_argument("--config", type=Path, metavar="FILE", help='JSON: {"preset": NAME, option: value, …}')
    fit.add_argument("--base", type=Path, metavar="DIR", help="lora: the base model's folder")
    fit.add_argument("--bases", type=Path, metavar="DIR", help="stack: the folder that holds its members' base models")
    fit.add_argument("--member", type=Path, action="append", default=[], metavar="DIR", help="stack: a finished student")
    fit.add_argument("--lease", type=Path, metavar="FILE", help="have this lock while training, so that others make room")


def main(argv: list[str] | None = None, emit: Emit = to_stdout) -> int:
    """The exit code; see `events.exit_code`."""
    args, emit = parser().parse_args(argv), parallel.spoken(emit)
    return exit_code(lambda: _work(args, emit), emit)


def _work(args: argparse.Namespace, emit: Emit) -> None:
    with _lease(args, emit), suppress(parallel.PartDone):
        run(args, emit)


def run(args: argparse.Namespace, emit: Emit) -> None:
    artifact.code_version()
    if args.command in travel.COMMANDS:
        travel.run(args, emit)
        return
    chosen = config.make(args.kind, _read_options(args.config))
    corpus = read_corpus(args.data)
    if args.command == "estimate":
        _foretell(args, chosen, corpus, emit)
        return
    if (args.out / MANIFEST).exists():
        _answer_again(args.out, args.kind, corpus, emit)
        return
    args.out.mkdir(parents=True, exist_ok=True)
    emit("started", kind=args.kind, train=len(corpus.split("train")), val=len(corpus.split("val")),
         outputs=len(corpus.outputs), config=config.to_json(chosen))  # fmt: skip
    _fit(args, chosen, corpus, emit)


def _fit(args: argparse.Namespace, chosen: config.Config, corpus: Corpus, emit: Emit) -> None:
    match chosen:
        case config.RidgeConfig():
            from . import baselines

            trained, bases_root = baselines.fit(corpus, chosen, args.out, emit), None
        case config.KernelConfig():
            base = _base(args)
            from . import kernel

            trained, bases_root = kernel.fit(corpus, chosen, args.out, emit, base), base.resolve().parent
        case config.LoraConfig():
            base = _base(args)
            from .lora import fit

            trained, bases_root = fit.fit(corpus, chosen, args.out, emit, base), base.resolve().parent
        case config.StackConfig():
            from . import stack

            trained, bases_root = stack.fit(corpus, chosen, args.out, emit, args.member, args.bases), args.bases
    finish.complete(trained, corpus, args.out, emit, bases=bases_root)


def _foretell(args: argparse.Namespace, chosen: config.Config, corpus: Corpus, emit: Emit) -> None:
    if not isinstance(chosen, config.LoraConfig):
        raise BadInput(f"Only a lora takes long enough for an estimate; start the {args.kind}.")
    base = _base(args)
    from .lora import fit

    fit.foretell(corpus, chosen, emit, base)


def _base(args: argparse.Namespace) -> Path:
    """The base model's folder, asked for just before torch is imported."""
    if args.base is None:
        raise BadInput(f"A {args.kind} student needs --base, the folder of its base model.")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait leave the processor to the site
    folder: Path = args.base
    return folder


def _lease(args: argparse.Namespace, emit: Emit) -> AbstractContextManager[None]:
    """The accelerator's lease, where one was named; the main process has it for all."""
    if args.lease is None or not parallel.is_main():
        return nullcontext()

    def wait(holder: Mapping[str, Any]) -> None:
        emit("note", text=f"Waiting for {holder.get('out', 'another program')}, which has the accelerator now.")

    return lease.hold(args.lease, {"what": args.command, "kind": args.kind, "out": str(args.out)}, wait=wait)


def _answer_again(out: Path, kind: str, corpus: Corpus, emit: Emit) -> None:
    manifest, sha256 = artifact.read_manifest(out)
    learnt = manifest["dataset"] or {"name": "elsewhere", "fingerprint": ""}
    if manifest["kind"] != kind or learnt["fingerprint"] != corpus.fingerprint:
        raise BadInput(f"{out} already holds another student ({manifest['kind']} of {learnt['name']}).")
    artifact.check_files(out, manifest)
    emit("note", text="This student was complete already; nothing was trained.")
    finish.announce(out, sha256, emit)


def _read_options(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        options = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"The configuration cannot be read: {error}.") from None
    except ValueError as error:
        raise BadInput(f"{path} is not valid JSON: {error}.") from None
    if not isinstance(options, dict):
        raise BadInput(f"{path} must hold a JSON object of options.")
    return options


if __name__ == "__main__":
    sys.exit(main())
