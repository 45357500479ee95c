"""Every refusal of the API looks the same: {"error": {"code", "message", "problems"?}} with the right status."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ErrorDetail, NotAuthenticated, ValidationError
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler

from distillery_site.common.errors import BadInput, DistilleryError
from distillery_site.common.rest import TooLarge
from scoring.engine.base import EngineDown, EngineError, Overloaded
from scoring.services import NoModel
from training.promoting import GatesClosed

WANTS_KEY = ErrorDetail("This needs a key: send it as “Authorization: Bearer dk_…”.", "not_authenticated")
RETRY_DOWN = 5  # seconds; the supervisor has a new scoring process up by then


def errors(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler; None leaves a bug to Django's 500."""
    if isinstance(exc, DistilleryError):
        return _refusal(exc)
    if isinstance(exc, RequestDataTooBig):
        exc = TooLarge(f"The request is larger than {settings.DATA_UPLOAD_MAX_MEMORY_SIZE / 1024**2:.0f} MB.")
    response = exception_handler(exc, context)
    if response is None:
        return None
    if isinstance(exc, ValidationError):
        problems = list(_sentences(exc.detail))
        response.data = _body("invalid", " ".join(problems), problems)
    else:
        detail = WANTS_KEY if isinstance(exc, NotAuthenticated) else response.data["detail"]
        response.data = _body(getattr(detail, "code", "error"), _sentence(str(detail)))
    return response


def _refusal(error: DistilleryError) -> Response:
    if isinstance(error, GatesClosed):
        return Response(_body("gates_closed", str(error), error.problems), 409)
    if isinstance(error, BadInput):
        return Response(_body("invalid", str(error), error.problems), 400)
    if isinstance(error, NoModel):
        return Response(_body("no_model", str(error)), 409)
    if isinstance(error, Overloaded):
        return Response(_body(error.code, str(error)), 429, headers={"Retry-After": f"{error.retry_after:.0f}"})
    if isinstance(error, EngineDown):
        return Response(_body(error.code, str(error)), 503, headers={"Retry-After": str(RETRY_DOWN)})
    code = error.code if isinstance(error, EngineError) else "unusable"
    return Response(_body(code, str(error)), 413 if code == "too_large" else 502)


def _body(code: str, message: str, problems: list[str] | None = None) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, **({"problems": problems} if problems else {})}}


def _sentences(detail: Any, path: str = "") -> Iterator[str]:
    """ "articles[0].text: This field may not be blank." out of DRF's nested dicts, whose whole numbers are places."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            step = "" if key == api_settings.NON_FIELD_ERRORS_KEY else f"[{key}]" if isinstance(key, int) else f".{key}"
            yield from _sentences(value, (path + step).lstrip("."))
    else:
        yield from (_sentence(f"{path}: {text}" if path else str(text)) for text in detail)


def _sentence(text: str) -> str:
    return text.rstrip(".") + "."
