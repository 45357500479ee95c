"""Rows out of a JSONL or CSV file, one at a time: a broken one is handed on as such and the rest goes on. Pure."""

import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from distillery_site.common.errors import BadInput

MAX_LINE_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class BadRow:
    """A row that can't be used; `reason` is what to count by, `message` a sentence."""

    line: int
    reason: str
    message: str


def read_rows(path: Path) -> Iterator[dict[str, Any] | BadRow]:
    """Every row with its line number under "line". Raises BadInput when the file as a whole is no use."""
    readers = {".jsonl": _jsonl, ".ndjson": _jsonl, ".csv": _csv}
    if path.suffix.lower() not in readers:
        raise BadInput(f"{path.name} must be a .jsonl or a .csv file.")
    try:
        with path.open("rb") as file:
            yield from readers[path.suffix.lower()](file)
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}.") from None


def _jsonl(file: IO[bytes]) -> Iterator[dict[str, Any] | BadRow]:
    for number, line in enumerate(_bounded_lines(file), start=1):
        if line is None:
            yield BadRow(number, "too long", f"Line {number} is longer than {MAX_LINE_BYTES // 1024 // 1024} MB.")
        elif line.strip():
            yield _json_row(number, line)


def _bounded_lines(file: IO[bytes]) -> Iterator[bytes | None]:
    """Lines, or None for one over the limit, whose rest is read past without being kept."""
    while line := file.readline(MAX_LINE_BYTES):
        complete = line.endswith(b"\n") or len(line) < MAX_LINE_BYTES
        yield line if complete else None
        while not complete:
            rest = file.readline(MAX_LINE_BYTES)
            complete = rest.endswith(b"\n") or not rest


def _json_row(number: int, line: bytes) -> dict[str, Any] | BadRow:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return BadRow(number, "not UTF-8", f"Line {number} is not UTF-8 text.")
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "nested or numbered beyond reason"
        return BadRow(number, "invalid JSON", f"Line {number} is not valid JSON: {reason}.")
    if not isinstance(row, dict):
        return BadRow(number, "invalid JSON", f"Line {number} is JSON but not an object with keys.")
    return {**row, "line": number}


def _csv(file: IO[bytes]) -> Iterator[dict[str, Any] | BadRow]:
    csv.field_size_limit(min(sys.maxsize, MAX_LINE_BYTES))
    lines = (line.decode("utf-8-sig" if first else "utf-8", "surrogateescape") for first, line in _with_first(file))
    reader = csv.DictReader(lines)
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield BadRow(reader.line_num, "invalid CSV", f"Line {reader.line_num} is not valid CSV: {error}.")
            continue
        if row is None:
            return
        yield _csv_row(reader.line_num, row)


def _with_first(file: IO[bytes]) -> Iterator[tuple[bool, bytes]]:
    return ((number == 0, line) for number, line in enumerate(file))


def _csv_row(number: int, row: dict[Any, Any]) -> dict[str, Any] | BadRow:
    if None in row:
        return BadRow(number, "invalid CSV", f"Line {number} has more cells than the head has columns.")
    values = {key.strip().lower(): value for key, value in row.items() if value is not None}
    if any(_is_broken(value) for value in values.values()):
        return BadRow(number, "not UTF-8", f"Line {number} is not UTF-8 text.")
    if scores := values.get("scores", "").strip():
        try:
            values["scores"] = json.loads(scores)
        except ValueError:
            return BadRow(number, "invalid JSON", f"Line {number}: scores must be a JSON object.")
    return {**values, "line": number}


def _is_broken(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return True
    return False
