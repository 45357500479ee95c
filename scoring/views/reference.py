"""The API, documented: a page drawn from the schema that programs read."""

from functools import cache

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from drf_spectacular.generators import SchemaGenerator

from scoring.api_reference import Call, calls


def api_docs(request: HttpRequest) -> HttpResponse:
    return render(request, "scoring/api.html", {"calls": _calls(), "root": request.build_absolute_uri("/")[:-1]})


@cache
def _calls() -> list[Call]:
    """The code's own, so once a process is enough."""
    return calls(SchemaGenerator().get_schema(request=None, public=True))
