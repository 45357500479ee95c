"""How long the server worked on a request, for whoever looks into the browser's network panel or measures from outside."""

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


class ServerTimingMiddleware:
    """`Server-Timing: app;dur=12.3`, in milliseconds, from the first middleware to the last; comes first in the settings."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        start = time.perf_counter()
        response = self.get_response(request)
        response["Server-Timing"] = f"app;dur={1000 * (time.perf_counter() - start):.1f}"
        return response
