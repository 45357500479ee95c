"""Curves for other tools: TensorBoard's files always, MLflow and Weights & Biases when their variables are set."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter
from transformers import TrainerCallback
from transformers.integrations.integration_utils import MLflowCallback, WandbCallback, rewrite_logs

from ..events import Emit

_TRACKERS: dict[str, tuple[tuple[str, ...], Callable[[], Any]]] = {
    "MLflow": (("MLFLOW_TRACKING_URI",), MLflowCallback),
    "Weights & Biases": (("WANDB_API_KEY", "WANDB_MODE"), WandbCallback),
}


class Tensorboard(TrainerCallback):
    """Event files in `folder`; a run that goes on from a checkpoint takes back what it wrote after it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.writer: SummaryWriter | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._close()
        self.writer = SummaryWriter(str(self.folder), purge_step=state.global_step + 1 if state.global_step else None)

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.writer is not None:
            for name, value in rewrite_logs(kwargs["logs"]).items():  # type: ignore[no-untyped-call]
                self.writer.add_scalar(name, value, state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """What stays with the student doesn't carry this machine's name, which is the last part of each file's."""
        self._close()
        for number, path in enumerate(sorted(self.folder.glob("events.out.tfevents.*"))):
            path.rename(self.folder / f"{number}.tfevents")

    def _close(self) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None


class Careful:
    """A tracker that may fail, because its server is away for example, without ending the training."""

    def __init__(self, name: str, tracker: Any, emit: Emit):
        self.name, self.tracker, self.emit = name, tracker, emit

    def __getattr__(self, hook: str) -> Any:
        return lambda *args, **kwargs: self._call(hook, *args, **kwargs)

    def _call(self, hook: str, *args: Any, **kwargs: Any) -> None:
        if self.tracker is None:
            return
        try:
            getattr(self.tracker, hook)(*args, **kwargs)
        except Exception as error:  # whatever a tracker or its network does is no reason to lose a training
            self.tracker = None
            self.emit("note", text=f"{self.name} gets no more figures of this training: {error}")


def trackers(emit: Emit) -> list[Careful]:
    """Those that the environment asks for; a note where one isn't installed."""
    found = []
    for name, (variables, make) in _TRACKERS.items():
        if not any(os.environ.get(variable) for variable in variables):
            continue
        try:
            found.append(Careful(name, make(), emit))
        except (RuntimeError, ImportError) as error:
            emit("note", text=f"{name} was asked for by {' or '.join(variables)}, but can't be used: {error}")
    return found
