"""Typed readers for environment variables; a bad value is a sentence, not a surprise later."""

import os
from pathlib import Path


class BadSetting(Exception):
    """An environment variable holds something that its setting cannot use."""


_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def integer(name: str, default: int) -> int:
    raw = text(name)
    try:
        return int(raw) if raw else default
    except ValueError:
        raise BadSetting(f"{name} must be a whole number, not {raw!r}.") from None


def number(name: str, default: float) -> float:
    raw = text(name)
    try:
        return float(raw) if raw else default
    except ValueError:
        raise BadSetting(f"{name} must be a number, not {raw!r}.") from None


def flag(name: str, default: bool) -> bool:
    raw = text(name).lower()
    if raw and raw not in _TRUE | _FALSE:
        raise BadSetting(f"{name} must be yes or no, not {raw!r}.")
    return raw in _TRUE if raw else default


def path(name: str, default: Path) -> Path:
    return Path(text(name) or default).expanduser().resolve()


def words(name: str, default: tuple[str, ...] = ()) -> list[str]:
    """A comma-separated list."""
    return [part.strip() for part in text(name).split(",") if part.strip()] or list(default)
