"""An oracle that replays judgements from files: free, instant, and never wrong about what was said."""

import json
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from distillery_site.common.errors import BadInput
from labeling.oracles.base import ZERO, Judgement, OracleError, Question
from labeling.prompts import parse

FILES = {1: "labels.jsonl", 2: "retest.jsonl"}


class RecordedOracle:
    """Rows of {"article_id", "scores": {dimension: 0–10}, "reasoning"}; keys are `source:article_id`."""

    provider = "recorded"
    concurrency = 1
    chunk = 500  # nothing is paid and nobody waits, so many share one transaction

    def __init__(self, model: str, params: dict[str, Any], *, folder: Path, source: str):
        self.model, self.params = model, params
        self.folder, self.source = folder, source

    def worst_cost(self, question: Question) -> Decimal:
        return ZERO

    async def judge(self, question: Question) -> Judgement:
        row = self._readings.get(question.reading, {}).get(question.article_key)
        if row is None:
            raise OracleError("absent", f"Reading {question.reading} of this article was not recorded.")
        raw = json.dumps({"reasoning": row["reasoning"], "scores": row["scores"]}, ensure_ascii=False)
        parsed = parse(raw, question.keys)
        return Judgement(parsed.scores, parsed.reasoning, raw, self.model, flags=parsed.flags)

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
