"""Which device students are on: the accelerator where there is one, unless whoever serves them leaves it to somebody else."""

from collections.abc import Iterator
from typing import Any

_away = False


def best() -> str:
    """Where a student goes that is loaded now."""
    import torch

    return "cpu" if _away or not torch.cuda.is_available() else "cuda"


def stay_away(away: bool) -> None:
    """Leave the accelerator alone in this process from now on, or use it again; students in memory stay where they are."""
    global _away  # noqa: PLW0603  (there is one accelerator, and a process is on it or not)
    _away = away


def place(student: Any, device: str) -> None:
    """Move a student with everything that it is made of: members, calibrated cores, the base that it reads with."""
    import torch

    for part in _parts(student):
        for name, value in list(vars(part).items()):
            if isinstance(value, torch.nn.Module):
                value.to(device)
            elif isinstance(value, torch.device):
                setattr(part, name, torch.device(device))


def _parts(thing: Any) -> Iterator[Any]:
    """The objects of this package that hang on one; modules of torch know their own parts."""
    from torch import nn

    if isinstance(thing, list | tuple):
        for item in thing:
            yield from _parts(item)
    elif type(thing).__module__.startswith(__package__ or "") and hasattr(thing, "__dict__") and not isinstance(thing, nn.Module):
        yield thing
        for value in vars(thing).values():
            yield from _parts(value)
