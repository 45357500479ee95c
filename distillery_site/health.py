"""Whether what the web process leans on answers; terse, because anyone may ask."""

from collections.abc import Callable
from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError, connection

from scoring.engine.base import EngineError
from scoring.engine.client import EngineClient

ASK_SECONDS = 1.0


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _redis() -> None:
    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=ASK_SECONDS, socket_connect_timeout=ASK_SECONDS) as client:
        client.ping()


def _engine() -> None:
    with EngineClient(settings.ENGINE_URL, settings.ENGINE_TOKEN, timeout=ASK_SECONDS) as client:
        client.health()


CHECKS: dict[str, tuple[Callable[[], Any], type[Exception]]] = {
    "database": (_database, DatabaseError),
    "redis": (_redis, redis.RedisError),
    "engine": (_engine, EngineError),
}
NEEDED = ("database", "redis")  # without the scoring process the pages still work


def report() -> dict[str, str]:
    """{"database": "ok" or "down", …} and "status": ok, degraded (only scoring is down) or down."""
    answers = {name: "ok" if _answers(*check) else "down" for name, check in CHECKS.items()}
    needed = all(answers[name] == "ok" for name in NEEDED)
    status = "down" if not needed else "ok" if answers["engine"] == "ok" else "degraded"
    return {"status": status, **answers}


def engine_answers() -> bool:
    return _answers(*CHECKS["engine"])


def _answers(check: Callable[[], Any], failure: type[Exception]) -> bool:
    try:
        check()
    except failure:
        return False
    return True
