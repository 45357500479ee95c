"""What a training child tells its parent: one JSON object a line on standard output."""

import json
import math
import sys
from collections.abc import Callable
from typing import Any, Protocol

from distillery_site.common.errors import DistilleryError, Transient

EXIT_PERMANENT, EXIT_TRANSIENT = 1, 75  # 75: EX_TEMPFAIL of sysexits.h


class Emit(Protocol):
    """started | note | estimate | step | epoch | done | error, each with its fields."""

    def __call__(self, event: str, **values: Any) -> None: ...


def to_stdout(event: str, **values: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, **finite(values)}, ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()


def finite(value: Any) -> Any:
    """JSON has no NaN: an unknown figure is null."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def exit_code(work: Callable[[], None], emit: Emit) -> int:
    """Do `work`: 0; 1 when trying again cannot help; 75 when it may. What stopped it is said in an `error` event."""
    try:
        work()
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
