"""The REST API: score articles, and what there is to score them with."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from distillery_site.common.rest import MayAsk, ShallowJson, Strict, Text, TooLarge, refusals
from distillery_site.common.roles import VIEWER
from labeling.models import Article, Filter
from labeling.reviewing.access import filters_for, require, seen_by
from scoring.api_errors import errors
from scoring.services import Scored, score_articles
from training.models import Deployment, ModelOutput, ModelVersion

__all__ = ["FiltersView", "ModelsView", "ScoreView", "errors"]


class Version(serializers.Serializer):
    """A model version as every answer names it."""

    name = serializers.CharField()
    version = serializers.IntegerField(source="number")
    manifest_sha256 = serializers.CharField()


class ScoreView(APIView):
    """Scores articles with the version that serves a filter."""

    permission_classes = [MayAsk]
    parser_classes = [ShallowJson]

    @extend_schema_serializer(component_name="ScoreRequest")
    class Input(Strict):
        @extend_schema_serializer(component_name="ArticleToScore")
        class Item(Strict):
            bounds = {"text": {"pattern": r"\S"}}

            id = Text(
                required=False,
                allow_null=True,
                allow_blank=True,
                trim_whitespace=False,
                max_length=200,
                help_text="Comes back with the scores.",
            )
            title = Text(required=False, allow_blank=True, default="")
            text = Text(error_messages={"blank": "The article has no text."})
            published = serializers.DateField(required=False, allow_null=True, help_text="Such as 2026-11-24.")

        bounds = {"articles": {"minItems": 1}, "filter": {"pattern": r"^[-a-zA-Z0-9_]+$"}}

        filter = Text(help_text="A filter's slug, as /api/v1/filters lists them.")
        articles = Item(many=True, allow_empty=False)
        alias = serializers.ChoiceField(Deployment.Alias.choices, default=Deployment.Alias.CHAMPION)

    @extend_schema_serializer(component_name="ScoreAnswer")
    class Output(serializers.Serializer):
        @extend_schema_serializer(component_name="ScoredArticle")
        class Result(serializers.Serializer):
            @extend_schema_serializer(component_name="AppliedRule")
            class Rule(serializers.Serializer):
                kind = serializers.ChoiceField(["gatekeeper", "cap"])
                on = serializers.CharField(help_text="The gatekeeper's dimension, or the cap's pattern.")
                cap = serializers.FloatField()
                reason = serializers.CharField()

            id = serializers.CharField(allow_null=True)
            scores = serializers.DictField(child=serializers.FloatField(), help_text="By dimension, 0–10.")
            raw = serializers.DictField(child=serializers.FloatField(), help_text="What the student said before clipping.")
            intervals = serializers.DictField(
                child=serializers.ListField(child=serializers.FloatField(), min_length=2, max_length=2),
                allow_null=True,
                help_text="By dimension [low, high], where the oracle's own score lies as often as `interval_level` says: the "
                "student's errors on validation articles it was not fitted on, by dimension and by band of the score "
                "(split conformal). That holds on average over articles like those it was taught on, not for every single "
                "one. Null when this version was made without intervals.",
            )
            weighted_average = serializers.FloatField(allow_null=True)
            capped_average = serializers.FloatField(allow_null=True, help_text="What is left of it after `applied`.")
            tier = serializers.CharField(allow_null=True)
            applied = Rule(many=True)
            warnings = serializers.ListField(
                child=serializers.CharField(),
                help_text="Sentences, such as that the article's language was not among the training articles'. Judged by its "
                "letters and commonest words alone: no warning is no promise.",
            )

        @extend_schema_serializer(component_name="ScoredFilter")
        class Rubric(serializers.Serializer):
            slug = serializers.CharField(source="filter.slug")
            version = serializers.IntegerField(source="number")

        filter = Rubric(source="version")
        policy = serializers.IntegerField(source="policy.number")
        model = Version()
        interval_level = serializers.FloatField(allow_null=True, help_text="Such as 0.9: nine of ten; null without intervals.")
        results = Result(many=True, help_text="In the order of the articles.")

    @extend_schema(
        operation_id="score",
        request=Input,
        responses={200: Output, **refusals(400, 401, 403, 404, 409, 413, 415, 429, 502, 503)},
    )
    def post(self, request: Request) -> Response:
        asked = self.Input(data=request.data)
        asked.is_valid(raise_exception=True)
        _check_size(asked.validated_data["articles"])
        articles = [_article(**item) for item in asked.validated_data["articles"]]
        filter_ = _filter(asked.validated_data["filter"])
        require(request.user, filter_, VIEWER)
        scored = score_articles(filter=filter_, articles=articles, alias=asked.validated_data["alias"])
        return Response(self.Output(_answer(scored)).data)


def _check_size(items: list[dict[str, Any]]) -> None:
    if len(items) > settings.SCORE_MAX_ARTICLES:
        raise TooLarge(f"{len(items)} articles at once; {settings.SCORE_MAX_ARTICLES} is the most.")
    limit = settings.SCORE_MAX_CHARACTERS
    for place, item in enumerate(items, 1):
        if len(item["text"]) + len(item["title"]) > limit:
            raise TooLarge(f"Article {place} has more than {limit:,} characters.")


def _article(text: str, title: str, id: str | None = None, published: Any = None) -> Article:  # noqa: A002
    """An unsaved row, so that it is laid out exactly as those the student learned from."""
    return Article(external_id=id, title=title, text=text, published=published)


def _filter(slug: str) -> Filter:
    found = Filter.objects.filter(slug=slug).first()
    if found is None:
        raise NotFound(f"There is no filter {slug!r}; /api/v1/filters lists them.")
    return found


def _answer(scored: list[Scored]) -> dict[str, Any]:
    first = scored[0]
    results = [one.as_dict() for one in scored]
    told = {"version": first.version, "policy": first.policy, "model": first.model, "interval_level": first.interval_level}
    return {**told, "results": results}


class FiltersView(APIView):
    """The filters, their dimensions, and who answers for them."""

    permission_classes = [MayAsk]

    @extend_schema_serializer(component_name="FilterList")
    class Output(serializers.Serializer):
        @extend_schema_serializer(component_name="Filter")
        class Item(serializers.Serializer):
            @extend_schema_serializer(component_name="Dimension")
            class Dimension(serializers.Serializer):
                key = serializers.CharField()
                name = serializers.CharField()
                description = serializers.CharField()

            slug = serializers.CharField()
            name = serializers.CharField()
            question = serializers.CharField()
            version = serializers.IntegerField(allow_null=True, help_text="The newest; the champion may answer for an older one.")
            dimensions = Dimension(many=True)
            champion = Version(allow_null=True)

        results = Item(many=True)

    @extend_schema(operation_id="filters", responses={200: Output, **refusals(401, 403)})
    def get(self, request: Request) -> Response:
        found = filters_for(request.user).prefetch_related("versions", "deployments__model")
        return Response(self.Output({"results": [_described(filter_) for filter_ in found]}).data)


def _described(filter_: Filter) -> dict[str, Any]:
    newest = max(filter_.versions.all(), key=lambda version: version.number, default=None)
    champion = next((d.model for d in filter_.deployments.all() if d.alias == Deployment.Alias.CHAMPION), None)
    told = {"slug": filter_.slug, "name": filter_.name, "question": filter_.question, "champion": champion}
    return {**told, "version": newest.number if newest else None, "dimensions": newest.dimensions if newest else []}


class ModelsView(APIView):
    """Every registered version, newest first."""

    permission_classes = [MayAsk]

    @extend_schema_serializer(component_name="ModelList")
    class Output(serializers.Serializer):
        @extend_schema_serializer(component_name="Model")
        class Item(Version):
            @extend_schema_serializer(component_name="ModelOutput")
            class Column(serializers.ModelSerializer):
                filter = serializers.CharField(source="version.filter.slug")
                version = serializers.IntegerField(source="version.number")

                class Meta:
                    model = ModelOutput
                    fields = ["filter", "version", "dimension"]

            @extend_schema_serializer(component_name="ModelAlias")
            class Alias(serializers.ModelSerializer):
                filter = serializers.CharField(source="filter.slug")

                class Meta:
                    model = Deployment
                    fields = ["filter", "alias"]

            kind = serializers.CharField()
            dataset = serializers.CharField(source="dataset.name", allow_null=True, help_text="Null: it learned elsewhere.")
            created_at = serializers.DateTimeField()
            val_mae = serializers.FloatField(allow_null=True)
            outputs = Column(many=True)
            aliases = Alias(source="deployments", many=True)

        results = Item(many=True)

    @extend_schema(operation_id="models", responses={200: Output, **refusals(401, 403)})
    def get(self, request: Request) -> Response:
        own = seen_by(request.user, ModelVersion.objects.all(), "outputs__version__filter")
        versions = own.select_related("dataset").order_by("-pk")
        found = versions.prefetch_related("outputs__version__filter", "deployments__filter")
        return Response(self.Output({"results": found}).data)
