"""What every endpoint of the REST API is made of, whichever app it is in: who may ask, what is read, how refusals look."""

from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers
from rest_framework.exceptions import APIException, ParseError, ValidationError
from rest_framework.parsers import JSONParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

REFUSALS = {
    400: "Invalid JSON, an empty article, an unknown field.",
    401: "No key, or one that is wrong, expired or revoked.",
    403: "The account's role is too low, or the filter isn't among its own.",
    404: "There is no such filter, model or task.",
    409: "It is too late or too early for this: nothing serves the filter, a gate is closed, a review was kept already.",
    413: "Too many articles, an article that is too long, or a body that is too large.",
    415: "The body is not JSON.",
    429: "Too much is waiting; Retry-After tells when to come back.",
    502: "The scoring process refused its model.",
    503: "The scoring process does not answer; Retry-After tells when to come back.",
}


class TooLarge(APIException):
    status_code, default_code = 413, "too_large"


class Conflict(APIException):
    status_code, default_code = 409, "conflict"


class Problem(serializers.Serializer):
    """What was refused and why; `problems` lists every fault of a request."""

    class Error(serializers.Serializer):
        code = serializers.CharField()
        message = serializers.CharField()
        problems = serializers.ListField(child=serializers.CharField(), required=False)

    error = Error()


def refusals(*statuses: int) -> dict[int, OpenApiResponse]:
    return {status: OpenApiResponse(Problem, description=REFUSALS[status]) for status in statuses}


class MayAsk(BasePermission):
    """The site's table of permissions, asked for the person behind the key (or the session)."""

    message = "The role of this account does not allow this, or not for this filter."

    def has_permission(self, request: Request, view: Any) -> bool:
        if not hasattr(view, request.method.lower()):
            return True  # nobody may: DRF says 405
        return bool(request.user.is_authenticated and request.permits(request.user))


class ShallowJson(JSONParser):
    """JSON whose nesting Python can follow."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error


class Strict(serializers.Serializer):
    """A serializer that refuses what it doesn't know, instead of passing over a misspelt field."""

    bounds: ClassVar[dict[str, dict[str, Any]]] = {}  # for the schema: what the fields' own classes can't tell it

    def to_internal_value(self, data: Any) -> Any:
        unknown = set(data) - set(self.fields) if isinstance(data, Mapping) else set()
        if unknown:
            raise ValidationError({str(key): ["There is no such field."] for key in sorted(unknown)})
        return super().to_internal_value(data)


class StrictSchema(OpenApiSerializerExtension):
    target_class = "distillery_site.common.rest.Strict"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        schema.pop("description", None)
        for name, bounds in self.target.bounds.items():
            schema["properties"][name] |= bounds
        return {**schema, "additionalProperties": False}


class Text(serializers.CharField):
    """A string, and nothing that could be made into one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise ValidationError("This must be a string.")
        return super().to_internal_value(data)
