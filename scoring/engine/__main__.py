"""`python -m scoring.engine`: serve the students below one folder until SIGTERM."""

import argparse
import os
import signal
import socket
import sys
from pathlib import Path
from types import FrameType

import uvicorn

from scoring.engine.local import Limits, LocalEngine
from scoring.engine.server import make_app
from scoring.engine.sharing import MANNERS, Rule, Sharing

GRACE_SECONDS = 10


def main() -> None:
    asked = _arguments()
    token = os.environ.get("ENGINE_TOKEN", "")
    if len(token) < 16:
        sys.exit("Set ENGINE_TOKEN to a secret of at least 16 characters; those who ask must show it.")
    listener = _listen(asked)
    limits = Limits(models=asked.loaded, max_waiting=asked.queue)
    sharing = Sharing(Rule(asked.lease, asked.while_training, asked.gpu_share))
    engine = LocalEngine(asked.models, bases=asked.bases, limits=limits, sharing=sharing)
    config = uvicorn.Config(
        make_app(engine, token),
        log_level="warning",
        access_log=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_SECONDS,
        ws="none",
    )
    signal.signal(signal.SIGTERM, _leave)  # uvicorn closes first, then hands the signal on
    signal.signal(signal.SIGINT, _leave)
    print(f"The scoring process serves {asked.models} at {asked.socket or f'http://{asked.host}:{asked.port}'}.", flush=True)
    uvicorn.Server(config).run(sockets=[listener])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scoring.engine", description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="folder that holds name/v1/…")
    parser.add_argument("--bases", type=Path, help="folder of the base models that lora students stand on")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--port", type=int)
    place.add_argument("--socket", type=Path, help="a Unix socket instead of a port")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--loaded", type=int, default=Limits.models, help="students in memory at a time (default %(default)s)")
    parser.add_argument("--queue", type=int, default=Limits.max_waiting, help="texts that may wait (default %(default)s)")
    parser.add_argument("--lease", type=Path, help="the lock that a training holds while it has the accelerator")
    parser.add_argument(
        "--while-training", choices=MANNERS, default=Rule.manner,
        help="shrink: keep to --gpu-share and small batches; cpu: move to the processor; ignore (default %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--gpu-share", type=_share, default=Rule.share, help="of the accelerator's memory, 0.05 to 1 (default %(default)s)"
    )
    return parser.parse_args()


def _share(text: str) -> float:
    value = float(text)
    if not 0.05 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share from 0.05 to 1")
    return value


def _listen(asked: argparse.Namespace) -> socket.socket:
    """Bind before anything is loaded, so that a taken place is told in one sentence."""
    where = str(asked.socket) if asked.socket else f"port {asked.port} on {asked.host}"
    try:
        return _bind_path(asked.socket) if asked.socket else _bind_port(asked.host, asked.port)
    except (OSError, OverflowError) as error:
        sys.exit(f"The scoring process can't listen at {where}: {error}.")


def _bind_port(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


def _bind_path(path: Path) -> socket.socket:
    """A socket left behind by a killed process is removed; a living one is not."""
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(str(path)) == 0:
            raise OSError("another process answers there")
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(0o600)
    return listener


def _leave(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
