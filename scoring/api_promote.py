"""Choosing who answers, over REST: through the same gates as the page and the command, and back."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from distillery_site.common.rest import MayAsk, ShallowJson, Strict, Text, refusals
from labeling.models import Filter
from scoring import gates
from scoring.api import Version
from training.models import Deployment, ModelVersion
from training.services import rollback

ALIAS = Deployment.Alias.CHAMPION


@extend_schema_serializer(component_name="AliasChange")
class Changed(serializers.Serializer):
    """Who answers now, who did before, and what the gates said."""

    @extend_schema_serializer(component_name="Gate")
    class Asked(serializers.Serializer):
        gate = serializers.CharField()
        passed = serializers.BooleanField(allow_null=True, help_text="Null: it is only told and holds nobody up.")
        sentence = serializers.CharField()

    filter = serializers.SlugField()
    alias = serializers.ChoiceField(Deployment.Alias.choices)
    model = Version()
    before = Version(allow_null=True)
    gates = Asked(many=True)


class PromoteView(APIView):
    """Lets a version answer for a filter. A closed gate refuses with 409, unless a reason is given, which is kept."""

    permission_classes = [MayAsk]
    parser_classes = [ShallowJson]

    @extend_schema_serializer(component_name="PromoteRequest")
    class Input(Strict):
        model = Text(help_text="Such as news-lora/v2, as /api/v1/models lists them.")
        alias = serializers.ChoiceField(Deployment.Alias.choices, default=ALIAS)
        reason = Text(required=False, allow_blank=True, default="", max_length=500, help_text="Why, although a gate is closed.")

    @extend_schema(operation_id="promote", request=Input, responses={200: Changed, **refusals(400, 401, 403, 404, 409, 415)})
    def post(self, request: Request, slug: str) -> Response:
        asked = self.Input(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        chosen, model = _filter(slug), _model(wanted["model"])
        before, found = gates.promote(
            model=model, filter=chosen, alias=wanted["alias"], reason=wanted["reason"], actor=request.user
        )
        return _answer(chosen, wanted["alias"], model, before, [gate.as_dict() for gate in found])


class RollbackView(APIView):
    """Lets the version answer again that did before; a second time, the one before that. No gate is asked."""

    permission_classes = [MayAsk]
    parser_classes = [ShallowJson]

    @extend_schema_serializer(component_name="RollbackRequest")
    class Input(Strict):
        alias = serializers.ChoiceField(Deployment.Alias.choices, default=ALIAS)

    @extend_schema(operation_id="rollback", request=Input, responses={200: Changed, **refusals(400, 401, 403, 404, 409, 415)})
    def post(self, request: Request, slug: str) -> Response:
        asked = self.Input(data=request.data)
        asked.is_valid(raise_exception=True)
        chosen, alias = _filter(slug), asked.validated_data["alias"]
        left = chosen.deployments.select_related("model").filter(alias=alias).first()
        now = rollback(filter=chosen, alias=alias, actor=request.user)
        return _answer(chosen, alias, now, left.model if left else None, [])


def _answer(chosen: Filter, alias: str, model: ModelVersion, before: ModelVersion | None, told: list[dict[str, Any]]) -> Response:
    return Response(Changed({"filter": chosen.slug, "alias": alias, "model": model, "before": before, "gates": told}).data)


def _filter(slug: str) -> Filter:
    found = Filter.objects.filter(slug=slug).first()
    if found is None:
        raise NotFound(f"There is no filter {slug!r}; /api/v1/filters lists them.")
    return found


def _model(ref: str) -> ModelVersion:
    name, _, number = ref.partition("/v")
    wanted = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0
    found = ModelVersion.objects.filter(name=name, number=wanted).first()
    if found is None:
        raise NotFound(f"There is no model {ref!r}; /api/v1/models lists them, and one is named like news-lora/v2.")
    return found
