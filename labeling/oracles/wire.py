"""What the vendors' protocols have in common: waits and limits in headers, and which failures never left this machine. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

MAX_RAW = 20_000  # of an answer that is kept because something is wrong with it
NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol, httpx2.ProxyError)
Headers = Mapping[str, str]


def retry_after(headers: Headers) -> float | None:
    """Seconds to wait, by retry-after-ms or retry-after (a number or a date); None where neither says anything."""
    if (exact := _number(headers.get("retry-after-ms"))) is not None:
        return exact / 1000
    said = headers.get("retry-after")
    return _number(said) if _number(said) is not None else _until(said)


def limit(headers: Headers, name: str) -> int | None:
    """The whole number in a header such as x-ratelimit-limit-requests; None where it is missing or says something else."""
    found = _number(headers.get(name))
    return int(found) if found else None


def was_sent(error: BaseException) -> bool:
    """Whether a request that failed on the way may have reached the other side, and so may be billed."""
    return not isinstance(error.__cause__, NOT_SENT)


def stopped(said: str) -> str:
    """What the other side said, as a sentence that another can follow."""
    said = said.strip()
    return said if said.endswith((".", "!", "?")) else f"{said}."


def _number(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None


def _until(date: str | None) -> float | None:
    try:
        then = parsedate_to_datetime(date) if date else None
    except ValueError:
        return None
    if then is None:
        return None
    return max(0.0, (then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp() - datetime.now(UTC).timestamp())
