"""One training in several processes, as `accelerate launch` starts them: who speaks and writes, and waiting for each other."""

import os
from typing import Any

from .events import Emit


def count() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    return int(os.environ.get("RANK", "0")) == 0


def wait() -> None:
    """Until every process is here."""
    if count() > 1:
        import torch
        from accelerate import PartialState

        PartialState(cpu=not torch.cuda.is_available()).wait_for_everyone()


class PartDone(Exception):
    """This process has done its part; the main one writes the student."""


def leave_the_rest_to_the_main_process() -> None:
    """Raises PartDone in all the others."""
    if not is_main():
        raise PartDone


def spoken(emit: Emit) -> Emit:
    """The main process says everything; the others only why they end."""

    def errors_only(event: str, **values: Any) -> None:
        if event == "error":
            emit(event, **values)

    return emit if is_main() else errors_only
