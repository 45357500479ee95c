"""An oracle that replays judgements from files: free, instant, and never wrong about what was said."""

import json
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from distillery_site.common.errors import BadInput
from labeling.oracles.base import ZERO, NoBatches, OracleError, Question, Reply

FILES = {1: "labels.jsonl", 2: "retest.jsonl"}


class RecordedOracle(NoBatches):
    """Rows of {"article_id", "scores": {dimension: 0–10}, "reasoning"}; keys are `source:article_id`."""

    provider = "recorded"
    notice = ""
    concurrency = 500  # nothing is paid and nobody waits, so many share one transaction

    def __init__(self, model: str, params: dict[str, Any], *, folder: Path, source: str):
        self.model, self.params = model, params
        self.folder, self.source = folder, source

    def worst_cost(self, question: Question, *, batch: bool = False) -> Decimal:
        return ZERO

    async def ask(self, question: Question) -> Reply:
        row = self._readings.get(question.reading, {}).get(question.article_key)
        if row is None:
            raise OracleError("absent", f"Reading {question.reading} of this article was not recorded.")
        answer = {"evidence": [], "reasoning": row["reasoning"], "scores": row["scores"]}
        return Reply(json.dumps(answer, ensure_ascii=False), self.model)

    async def count_tokens(self, question: Question) -> int | None:
        return None

    async def probe(self) -> str:
        counts = {reading: len(rows) for reading, rows in self._readings.items()}
        return f"There are recordings of {counts.get(1, 0):,} articles, {counts.get(2, 0):,} of them read twice."

    async def aclose(self) -> None:
        """Nothing is open."""

    @cached_property
    def _readings(self) -> dict[int, dict[str, dict[str, Any]]]:
        found = {reading: self.folder / name for reading, name in FILES.items() if (self.folder / name).is_file()}
        if not found:
            raise BadInput(f"There are no recordings in {self.folder}: {' and '.join(FILES.values())} are missing.")
        return {reading: self._read(path) for reading, path in found.items()}

    def _read(self, path: Path) -> dict[str, dict[str, Any]]:
        with path.open(encoding="utf-8") as lines:
            rows = (json.loads(line) for line in lines)
            return {f"{self.source}:{row['article_id']}": row for row in rows}
