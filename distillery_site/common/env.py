"""Typed readers for environment variables; a bad value is a sentence, not a surprise later."""

import os
import stat
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


def share(name: str, default: float) -> float:
    value = number(name, default)
    if not 0 < value <= 1:
        raise BadSetting(f"{name} must be a share above 0 and up to 1, not {value:g}.")
    return value


def choice(name: str, options: tuple[str, ...]) -> str:
    """One of these words; the first where nothing is set."""
    value = text(name, options[0]).lower()
    if value not in options:
        raise BadSetting(f"{name} must be one of {', '.join(options)}, not {value!r}.")
    return value


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


def secret(name: str) -> str:
    """From the variable itself, the file that NAME_FILE names, or a line NAME=… of the file that DISTILLERY_SECRETS names.

    Empty where none of them has it. What is wrong with one is said without showing it.
    """
    value = text(name) or _own_file(name) or _secrets(text("DISTILLERY_SECRETS")).get(name, "")
    if any(not "!" <= letter <= "~" for letter in value):
        raise BadSetting(f"{name} holds a space or a letter that no key has; was it cut or pasted wrongly?")
    return value


def _own_file(name: str) -> str:
    place = text(f"{name}_FILE")
    return _read(f"{name}_FILE", place).strip() if place else ""


def _secrets(place: str) -> dict[str, str]:
    """Lines of KEY=VALUE; blank ones and those that start with # don't count."""
    if not place:
        return {}
    lines = (line.strip().removeprefix("export ") for line in _private(place).splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def _private(place: str) -> str:
    """One file with all keys in it is for this account alone, or for its group."""
    found = _read("DISTILLERY_SECRETS", place)
    if Path(place).expanduser().stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
        raise BadSetting(f"DISTILLERY_SECRETS: everybody on this machine can open {place}; run chmod 600 {place}.")
    return found


def _read(setting: str, place: str) -> str:
    try:
        return Path(place).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise BadSetting(f"{setting}: {place} can't be read ({why}).") from None
