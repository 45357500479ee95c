"""What every oracle is: it is handed a question and brings back what the provider said, or says in a known way why not.

Pure: no Django, no tables. An oracle never sleeps out a rate limit, never retries by itself and never reads the answer:
whoever asks keeps the budget, writes down what a call cost before looking at its text, and `next_step` below is the one
retry policy.
"""

import random
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_UP, Decimal
from typing import Any, Protocol

from distillery_site.common.errors import DistilleryError

ZERO = Decimal(0)
UNIT = Decimal("1e-10")  # one token of the cheapest model; the unit that is stored

# What each kind of failure means for the one who asked.
PAUSES_RUN = frozenset({"auth", "payment", "request"})
PROVIDERS_OWN = frozenset({"rate", "server", "network", "expired"})
NO_MODEL = "model"  # category of a refused request that names a model the provider doesn't have
TRIES = 5  # an article that made the provider fail this often, while others were answered, fails
ROOMS = 2  # how often a limit that cut an answer off is doubled
BACKOFF_SECONDS = 1.0
LONGEST_WAIT = 3600.0


@dataclass(frozen=True)
class Tokens:
    """`fresh` input was neither read from nor written to the provider's cache; the four don't overlap.

    `output` includes what the model thought before it answered.
    """

    fresh: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0

    @property
    def input(self) -> int:
        return self.fresh + self.cache_read + self.cache_write


@dataclass(frozen=True)
class Limits:
    """A provider's limits a minute, as its headers or the operator tell them; None where nobody told."""

    requests: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


@dataclass(frozen=True)
class Question:
    """One article under a prompt, as it will be sent. The system part is the same for every article of a run.

    key: [A-Za-z0-9_-]{1,64}, names the call: batch results come back under it.
    turns: what was said since, (assistant, user) by turns; a repair shows the model its answer and what is wrong with it.
    room: how often the token limit of the answer was doubled.
    """

    key: str
    article_key: str
    text: str
    system: str
    user: str
    schema: dict[str, Any]
    turns: tuple[str, ...] = ()
    reading: int = 1
    room: int = 0

    @property
    def size(self) -> int:
        """Bytes of all that is sent: no fewer than its tokens."""
        return len("".join((self.system, self.user, str(self.schema), *self.turns)).encode())


@dataclass(frozen=True)
class Reply:
    """What the provider said, unread: `text` should be JSON by the question's schema, but nobody has looked yet."""

    text: str
    model: str
    tokens: Tokens = Tokens()
    cost_usd: Decimal = ZERO
    seconds: float = 0.0
    request_id: str = ""
    sdk: str = ""
    limits: Limits | None = None


class OracleError(DistilleryError):
    """Why there is no answer.

    kind: absent (no recording) | refusal | invalid | truncated | context (too long for the model): about this article;
          auth | payment | request: nothing can go on until a person acts;
          rate | server | network | expired (a batch ran out of time, unbilled): may work later, `retry_after` in seconds
          where the other side told.
    cost_usd and tokens are what the failed call cost; `lost` says that the reply never came, so it may have been billed.
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
        tokens: Tokens = Tokens(),  # noqa: B008 (frozen)
        request_id: str = "",
        model: str = "",
        lost: bool = False,
        limits: Limits | None = None,
    ):
        super().__init__(message)
        self.kind, self.category, self.retry_after = kind, category, retry_after
        self.raw, self.cost_usd, self.tokens, self.lost = raw, cost_usd, tokens, lost
        self.request_id, self.model, self.limits = request_id, model, limits

    @property
    def permanent(self) -> bool:
        return self.kind not in PROVIDERS_OWN and self.kind != "truncated"

    @property
    def pauses_run(self) -> bool:
        return self.kind in PAUSES_RUN

    @property
    def label(self) -> str:
        """What to count by: the kind, with a refusal's category."""
        return f"{self.kind}: {self.category}" if self.category else self.kind


@dataclass(frozen=True)
class BatchLimits:
    """What one batch may hold; ours are below the provider's, so that a batch fits in memory."""

    requests: int = 10_000
    bytes: int = 24 * 1024 * 1024


@dataclass(frozen=True)
class BatchStatus:
    """`ended`: results can be had. `failed`: the whole batch came to nothing, in a sentence."""

    ended: bool
    done: int = 0
    failed: str = ""


Result = tuple[str, Reply | OracleError]


class Oracle(Protocol):
    """Up to `concurrency` questions may be out at once."""

    provider: str
    model: str
    params: dict[str, Any]
    concurrency: int
    batch_limits: BatchLimits | None  # None: there is no batch service
    notice: str  # what to know before paying, such as that the model is on its way out; usually nothing

    def worst_cost(self, question: Question, *, batch: bool = False) -> Decimal:
        """USD, never less than what the call can cost."""
        ...

    async def ask(self, question: Question) -> Reply:
        """Raises OracleError and nothing else."""
        ...

    async def count_tokens(self, question: Question) -> int | None:
        """Input tokens by the provider's own count; None where it has none. Raises OracleError."""
        ...

    async def probe(self) -> str:
        """One tiny call, to see that key, address and model work; a sentence. Raises OracleError."""
        ...

    async def submit(self, marker: str, questions: Sequence[Question]) -> str:
        """Hand over a batch; its id at the provider. Raises OracleError; `lost` when it may have arrived all the same."""
        ...

    async def find(self, marker: str, *, keys: Collection[str], since: datetime, known: Collection[str]) -> str | None:
        """The id of the batch that was handed over as `marker` with these keys; None when the provider has none such.

        `known` are ids that belong to other batches. Raises OracleError, of kind "server" while it can't be told yet.
        """
        ...

    async def poll(self, batch_id: str) -> BatchStatus: ...

    def results(self, batch_id: str) -> AsyncIterator[Result]:
        """Each once, in any order, streamed: a batch's results needn't fit into memory. Raises OracleError."""
        ...

    async def cancel(self, batch_id: str) -> None: ...

    async def aclose(self) -> None: ...


class NoBatches:
    """For oracles without a batch service."""

    batch_limits: BatchLimits | None = None

    async def submit(self, marker: str, questions: Sequence[Question]) -> str:
        raise OracleError("request", "This oracle takes no batches.")

    async def find(self, marker: str, *, keys: Collection[str], since: datetime, known: Collection[str]) -> str | None:
        return None

    async def poll(self, batch_id: str) -> BatchStatus:
        raise OracleError("request", "This oracle takes no batches.")

    async def results(self, batch_id: str) -> AsyncIterator[Result]:
        for nothing in list[Result]():
            yield nothing

    async def cancel(self, batch_id: str) -> None:
        """There is none."""


def usd(amount: Decimal) -> Decimal:
    """Rounded up to the unit that is stored."""
    return amount.quantize(UNIT, ROUND_UP)


@dataclass(frozen=True)
class Next:
    """What to do about a failed call. `wait` in seconds; None: give this article up."""

    wait: float | None
    room: int = 0
    repair: bool = False


def next_step(error: OracleError, *, attempts: int, room: int, repair: bool) -> Next:
    """The one retry policy, for errors that don't stop the whole run.

    attempts: how often this article failed so far, this time included; failures in an outage are not the article's.
    An answer that doesn't fit the schema is mended once; a cut one gets twice the room instead of the same again; what
    the provider did wrong is asked again with growing waits, or when it said.
    """
    if error.kind == "invalid":
        return Next(None if repair else 0.0, room, repair=True)
    if error.kind == "truncated":
        return Next(None if room >= ROOMS else 0.0, room + 1, repair)
    if error.kind not in PROVIDERS_OWN or attempts >= TRIES:
        return Next(None)
    pace = BACKOFF_SECONDS * 2 ** (attempts - 1) * random.uniform(0.8, 1.2)  # noqa: S311 (spreads, hides nothing)
    return Next(min(max(pace, error.retry_after or 0.0), LONGEST_WAIT), room, repair)
