"""What every oracle is: it is shown a question and gives a judgement, or says in a known way why not.

Pure: no Django, no tables. An oracle never sleeps out a rate limit and never retries by itself; `retry_after` below
is the one retry policy, and whoever calls keeps the budget.
"""

import random
from dataclasses import dataclass, replace
from decimal import ROUND_UP, Decimal
from typing import Any, Protocol, Self

from distillery_site.common.errors import DistilleryError

ZERO = Decimal(0)
MICRO = Decimal("0.000001")

# What each kind of failure means for the one who asked.
PAUSES_RUN = frozenset({"auth", "payment", "request"})
TRANSIENT = frozenset({"rate", "server", "network", "truncated"})
TRIES = {"server": 3, "network": 3, "truncated": 2}  # a truncated answer is asked once more, with twice the room
BACKOFF_SECONDS = 1.0


@dataclass(frozen=True)
class Question:
    """One article under one rubric, as it will be sent."""

    article_key: str
    text: str
    system: str
    user: str
    schema: dict[str, Any]
    keys: tuple[str, ...]
    reading: int = 1
    attempt: int = 1

    def again(self) -> Self:
        return replace(self, attempt=self.attempt + 1)


@dataclass(frozen=True)
class Judgement:
    """Scores in the order of the question's keys (None stays None) with all that made them."""

    scores: tuple[float | None, ...]
    reasoning: str
    raw: str
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal = ZERO
    seconds: float = 0.0
    request_id: str = ""
    flags: tuple[str, ...] = ()


class OracleError(DistilleryError):
    """Why there is no judgement.

    kind: absent (no recording) | refusal | invalid | truncated: about this article;
          auth | payment | request: nothing can go on until a person acts;
          rate | server | network: may work later, `retry_after` in seconds where the other side told.
    cost_usd is what the failed call cost; `lost` says that the reply never came, so the call may have been billed.
    """

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        category: str = "",
        retry_after: float | None = None,
        raw: str = "",
        cost_usd: Decimal = ZERO,
        lost: bool = False,
    ):
        super().__init__(message)
        self.kind, self.category, self.retry_after = kind, category, retry_after
        self.raw, self.cost_usd, self.lost = raw, cost_usd, lost

    @property
    def permanent(self) -> bool:
        return self.kind not in TRANSIENT

    @property
    def pauses_run(self) -> bool:
        return self.kind in PAUSES_RUN

    @property
    def label(self) -> str:
        """What to count by: the kind, with a refusal's category."""
        return f"{self.kind}: {self.category}" if self.category else self.kind


class Oracle(Protocol):
    """`concurrency` questions may be out at once, each handful of `chunk` reserved and settled together."""

    provider: str
    model: str
    params: dict[str, Any]
    concurrency: int
    chunk: int

    def worst_cost(self, question: Question) -> Decimal:
        """USD, never less than what the call can cost."""
        ...

    async def judge(self, question: Question) -> Judgement:
        """Raises OracleError and nothing else."""
        ...

    async def aclose(self) -> None: ...


def usd(amount: Decimal) -> Decimal:
    """Rounded up to a millionth, the unit that is stored."""
    return amount.quantize(MICRO, ROUND_UP)


def retry_after(error: OracleError, attempt: int) -> float | None:
    """Seconds to wait before asking the same question again at once, or None when that is no use.

    Rate limits are not waited out here: the whole run goes back to the queue until its time has come.
    """
    if attempt >= TRIES.get(error.kind, 1):
        return None
    return BACKOFF_SECONDS * 4 ** (attempt - 1) * random.uniform(0.8, 1.2)  # noqa: S311 (spreads, hides nothing)
