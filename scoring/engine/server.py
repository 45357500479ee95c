"""The engine over HTTP: POST /score for those who hold the token, GET /health for everyone."""

import asyncio
import hmac
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from scoring.engine.base import BadRequest, EngineError, NotAllowed, Overloaded, TooLarge
from scoring.engine.local import LocalEngine

MAX_BODY = 32 * 1024 * 1024
log = logging.getLogger(__name__)


def make_app(engine: LocalEngine, token: str) -> Starlette:
    routes = [Route("/health", health), Route("/score", score, methods=["POST"])]
    handlers: Any = {EngineError: refused, HTTPException: refused_by_http, Exception: crashed}
    app = Starlette(routes=routes, exception_handlers=handlers, lifespan=_until_closed)
    app.state.engine, app.state.token = engine, token
    return app


@asynccontextmanager
async def _until_closed(app: Starlette) -> AsyncIterator[None]:
    yield
    app.state.engine.close()


async def health(request: Request) -> Response:
    return JSONResponse(request.app.state.engine.health())


async def score(request: Request) -> Response:
    _admit(request)
    asked = _parse(await _body(request))
    engine: LocalEngine = request.app.state.engine
    prepared = engine.prepare(asked["model"], asked["manifest_sha256"], asked["texts"])
    rows = await asyncio.wrap_future(engine.forward(prepared))
    done = engine.finish(prepared, rows)
    return JSONResponse(
        {
            "model": done.model,
            "manifest_sha256": done.manifest_sha256,
            "outputs": done.outputs,
            "raw": done.raw.tolist(),
            "seconds": round(done.seconds, 4),
            "cached": done.cached,
        }
    )


async def refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, EngineError):
        raise error
    headers = {"Retry-After": f"{error.retry_after:.0f}"} if isinstance(error, Overloaded) else None
    return _error(error.status, error.code, str(error), error.permanent, headers)


async def refused_by_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return _error(error.status_code, "bad_request", f"{request.method} {request.url.path}: {error.detail}.", True)


async def crashed(request: Request, error: Exception) -> Response:
    """Starlette logs the traceback after this answer went out."""
    return _error(500, "engine_error", f"The scoring process failed: {type(error).__name__}. Its log has more.", True)


def _error(status: int, code: str, message: str, permanent: bool, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": {"code": code, "message": message, "permanent": permanent}}, status, headers=headers)


def _admit(request: Request) -> None:
    given = request.headers.get("authorization", "").encode()
    if not hmac.compare_digest(given, f"Bearer {request.app.state.token}".encode()):
        raise NotAllowed("The scoring process wants its token (ENGINE_TOKEN) as a bearer token.")


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY:
            raise TooLarge(f"The request is larger than {MAX_BODY // 1024**2} MB.")
        parts.append(part)
    return b"".join(parts)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The request is not JSON: {error}.") from error
    if not isinstance(asked, dict) or set(asked) != {"model", "manifest_sha256", "texts"}:
        raise BadRequest("The request must be an object of model, manifest_sha256 and texts.")
    texts = asked["texts"] if isinstance(asked["texts"], list) else [None]
    if not all(isinstance(text, str) for text in (asked["model"], asked["manifest_sha256"], *texts)):
        raise BadRequest("model and manifest_sha256 must be strings, and texts a list of strings.")
    return asked
