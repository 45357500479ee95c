"""`python -m training.student fit …`: learn one student from a data set's folder, and say how it goes on stdout."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from distillery_site.common.errors import BadInput, DistilleryError, Transient

from . import artifact, config, finish
from .artifact import MANIFEST
from .data import Corpus, read_corpus
from .events import Emit, to_stdout

EXIT_PERMANENT, EXIT_TRANSIENT = 1, 75  # 75: EX_TEMPFAIL of sysexits.h


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="python -m training.student", description=__doc__)
    fit = root.add_subparsers(dest="command", required=True).add_parser(
        "fit", help="train a student; run again with the same --out it resumes, and a finished one is left as it is"
    )
    fit.add_argument("--kind", required=True, choices=list(config.KINDS))
    fit.add_argument("--data", required=True, type=Path, metavar="DIR", help="dataset.json and examples.jsonl")
    fit.add_argument("--out", required=True, type=Path, metavar="DIR", help="where the student goes")
    fit.add_argument("--config", type=Path, metavar="FILE", help='JSON: {"preset": NAME, option: value, …}')
    fit.add_argument("--base", type=Path, metavar="DIR", help="lora: the base model's folder")
    fit.add_argument("--bases", type=Path, metavar="DIR", help="stack: the folder that holds its members' base models")
    fit.add_argument("--member", type=Path, action="append", default=[], metavar="DIR", help="stack: a finished student")
    return root


def main(argv: list[str] | None = None, emit: Emit = to_stdout) -> int:
    """Exit code 0; 1 when trying again cannot help; 75 when it may."""
    args = parser().parse_args(argv)
    try:
        run(args, emit)
    except DistilleryError as error:
        emit("error", text=str(error), permanent=not isinstance(error, Transient))
        return EXIT_TRANSIENT if isinstance(error, Transient) else EXIT_PERMANENT
    except MemoryError:
        emit("error", text="The machine has too little memory for this training; try a smaller batch_size.", permanent=True)
        return EXIT_PERMANENT
    except OSError as error:
        emit("error", text=f"A file could not be read or written: {error}.", permanent=False)
        return EXIT_TRANSIENT
    return 0


def run(args: argparse.Namespace, emit: Emit) -> None:
    artifact.code_version()
    chosen = config.make(args.kind, _read_options(args.config))
    corpus = read_corpus(args.data)
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
        case config.LoraConfig():
            if args.base is None:
                raise BadInput("A lora student needs --base, the folder of its base model.")
            os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait leave the processor to the site
            from . import fit

            trained, bases_root = fit.fit(corpus, chosen, args.out, emit, args.base), args.base.resolve().parent
        case config.StackConfig():
            from . import stack

            trained, bases_root = stack.fit(corpus, chosen, args.out, emit, args.member, args.bases), args.bases
    finish.complete(trained, corpus, args.out, emit, bases=bases_root)


def _answer_again(out: Path, kind: str, corpus: Corpus, emit: Emit) -> None:
    manifest, sha256 = artifact.read_manifest(out)
    if manifest["kind"] != kind or manifest["dataset"]["fingerprint"] != corpus.fingerprint:
        raise BadInput(f"{out} already holds another student ({manifest['kind']} of {manifest['dataset']['name']}).")
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
