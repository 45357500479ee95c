"""What a training child tells its parent: one JSON object a line on standard output."""

import json
import math
import sys
from typing import Any, Protocol


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
