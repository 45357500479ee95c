"""Reading what was sent."""

import json
from typing import Any

from tests.fakes.vendor.core import Refused
from tests.fakes.vendor.http import Request


def body_of(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.body or b"{}")
    except ValueError:
        raise Refused("400", "The body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise Refused("400", "The body is not an object.")
    return body
