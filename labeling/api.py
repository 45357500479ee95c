"""Queues and reviews over REST: what waits, the next article, one's scores, and leaving an article to others."""

from typing import Any

from django.db.models import Count
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from distillery_site.common.rest import Conflict, MayAsk, ShallowJson, Strict, Text, refusals
from labeling.models import Filter, FilterVersion, Review, ReviewTask
from labeling.reviewing import access, turns
from labeling.reviewing.desk import Desk
from labeling.reviewing.submitting import AlreadyReviewed, TaskDone, TextChanged, finish_review, submit_review

TASKS = 100  # in one answer, at most
SCORES = "By dimension, 0–10; null where it can't be scored. Every dimension must be there."


def _scores(**more: Any) -> serializers.DictField:
    return serializers.DictField(child=serializers.FloatField(allow_null=True), **more)


@extend_schema_serializer(component_name="TaskInQueue")
class Place(serializers.Serializer):
    """A task as a list shows it; why it is there is not told, for that would lead a reviewer."""

    id = serializers.IntegerField(source="pk")
    article = serializers.IntegerField(source="article_id")
    title = serializers.CharField(source="article.title")
    wanted = serializers.IntegerField(help_text="People who are to score it.")
    reviewed = serializers.IntegerField(help_text="People who have.")
    due_at = serializers.DateTimeField(allow_null=True)


@extend_schema_serializer(component_name="Said")
class Said(serializers.Serializer):
    """What one oracle says of the article."""

    oracle = serializers.CharField()
    reading = serializers.IntegerField()
    scores = _scores()
    reasoning = serializers.CharField()


@extend_schema_serializer(component_name="KeptReview")
class Kept(serializers.Serializer):
    """A review as it was kept, and the oracle's scores, which it may be compared with now."""

    task = serializers.IntegerField()
    scores = _scores(help_text="Those given first.")
    final = _scores(allow_null=True, help_text="Those that stood after the oracle's were shown; null until then.")
    blind = serializers.BooleanField(help_text="Given before the oracle's scores were shown.")
    created_at = serializers.DateTimeField()
    oracles = Said(many=True)


class QueuesView(APIView):
    """The filters that this person reviews, and how much waits there for them."""

    permission_classes = [MayAsk]

    @extend_schema_serializer(component_name="QueueList")
    class Output(serializers.Serializer):
        @extend_schema_serializer(component_name="Queue")
        class Item(serializers.Serializer):
            filter = serializers.SlugField()
            name = serializers.CharField()
            open = serializers.IntegerField(help_text="Tasks that want more reviews, by whomever.")
            yours = serializers.IntegerField(help_text="Those that this person could still be given.")

        results = Item(many=True)

    @extend_schema(operation_id="queues", responses={200: Output, **refusals(401, 403)})
    def get(self, request: Request) -> Response:
        found = [_queue(filter_, request.user) for filter_ in access.filters_to_review(request.user)]
        return Response(self.Output({"results": found}).data)


def _queue(filter_: Filter, person: Any) -> dict[str, Any]:
    waiting = ReviewTask.objects.open().filter(version__filter=filter_).count()
    told = {"filter": filter_.slug, "name": filter_.name or filter_.slug, "open": waiting}
    return {**told, "yours": turns.waiting(person, [filter_]).count()}


class TasksView(APIView):
    """What waits for this person on one filter, in the order in which it would be given out."""

    permission_classes = [MayAsk]

    class Input(serializers.Serializer):
        limit = serializers.IntegerField(min_value=1, max_value=TASKS, default=TASKS)

    @extend_schema_serializer(component_name="TaskList")
    class Output(serializers.Serializer):
        total = serializers.IntegerField()
        results = Place(many=True)

    @extend_schema(
        operation_id="queue_tasks",
        parameters=[OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": TASKS, "default": TASKS})],
        responses={200: Output, **refusals(400, 401, 403, 404)},
    )
    def get(self, request: Request, slug: str) -> Response:
        asked = self.Input(data=request.query_params)
        asked.is_valid(raise_exception=True)
        waiting = turns.waiting(request.user, [get_object_or_404(Filter, slug=slug)])
        shown = waiting.select_related("article").annotate(reviewed=Count("reviews", distinct=True))
        found = {"total": waiting.count(), "results": shown[: asked.validated_data["limit"]]}
        return Response(self.Output(found).data)


class NextView(APIView):
    """Takes the next task: it is this person's until `lease_until`. 204 where nothing waits.

    Asked again without an answer in between, it gives the same task. In a turn that was drawn to be shown open, `oracles`
    is filled; else it is empty until one's own scores are in.
    """

    permission_classes = [MayAsk]

    @extend_schema_serializer(component_name="TaskToReview")
    class Output(serializers.Serializer):
        @extend_schema_serializer(component_name="ScaleToScore")
        class Scale(serializers.Serializer):
            key = serializers.CharField()
            name = serializers.CharField()
            description = serializers.CharField()
            anchors = serializers.DictField(child=serializers.CharField())

        id = serializers.IntegerField()
        filter = serializers.SlugField()
        version = serializers.IntegerField()
        article = serializers.IntegerField()
        title = serializers.CharField()
        text = serializers.CharField()
        text_sha256 = serializers.CharField(help_text="Send it back as `read`, so that scores of an older text are noticed.")
        dimensions = Scale(many=True)
        blind = serializers.BooleanField()
        lease_until = serializers.DateTimeField()
        oracles = Said(many=True)

    @extend_schema(
        operation_id="queue_next",
        request=None,
        responses={200: Output, 204: OpenApiResponse(description="Nothing waits."), **refusals(401, 403, 404)},
    )
    def post(self, request: Request, slug: str) -> Response:
        filter_ = get_object_or_404(Filter, slug=slug)
        turn = turns.next_turn(reviewer=request.user, filters=Filter.objects.filter(pk=filter_.pk))
        if turn is None:
            return Response(status=204)
        task = _task(turn.task_id)
        told = _described(task) | {"blind": turn.blind, "lease_until": turn.lease_until}
        return Response(self.Output(told | {"oracles": _oracles(Desk(task, request.user, turn=turn))}).data)


class ReviewView(APIView):
    """Keeps this person's scores. Name the request by a UUID of your own: sent again with it, it is kept once."""

    permission_classes = [MayAsk]
    parser_classes = [ShallowJson]

    @extend_schema_serializer(component_name="ReviewRequest")
    class Input(Strict):
        @extend_schema_serializer(component_name="Evidence")
        class Passage(Strict):
            dimension = Text()
            quote = Text()

        scores = _scores(help_text=SCORES)
        comment = Text(required=False, allow_blank=True, default="")
        evidence = Passage(many=True, required=False, default=list)
        seconds = serializers.FloatField(
            required=False, allow_null=True, default=None, help_text="From opening it to the scores."
        )
        submission = serializers.UUIDField(help_text="Made by the sender, a new one for each review.")
        read = Text(required=False, allow_blank=True, default="", help_text="The `text_sha256` of the text that was read.")
        extra = serializers.BooleanField(default=False, help_text="Keep it although enough others have reviewed the article.")

    @extend_schema(operation_id="task_review", request=Input, responses={200: Kept, **refusals(400, 401, 403, 404, 409, 415)})
    def post(self, request: Request, pk: int) -> Response:
        asked = self.Input(data=request.data)
        asked.is_valid(raise_exception=True)
        task, said = _task(pk), dict(asked.validated_data)
        scores = _in_order(task.version, said.pop("scores"))
        try:
            review = submit_review(task=task, reviewer=request.user, scores=scores, **said)
        except (AlreadyReviewed, TaskDone, TextChanged) as error:
            raise Conflict(str(error)) from error
        return _kept(review, request.user)


class FinishView(APIView):
    """What stands after a look at the oracle's scores, confirmed or changed; those given first are kept beside it."""

    permission_classes = [MayAsk]
    parser_classes = [ShallowJson]

    @extend_schema_serializer(component_name="FinishRequest")
    class Input(Strict):
        scores = _scores(help_text=SCORES)
        comment = Text(required=False, allow_blank=True, allow_null=True, default=None)

    @extend_schema(operation_id="task_finish", request=Input, responses={200: Kept, **refusals(400, 401, 403, 404, 415)})
    def post(self, request: Request, pk: int) -> Response:
        asked = self.Input(data=request.data)
        asked.is_valid(raise_exception=True)
        own = get_object_or_404(Review.objects.select_related("task__version"), task=pk, reviewer=request.user)
        scores = _in_order(own.task.version, asked.validated_data["scores"])
        review = finish_review(review=own, scores=scores, comment=asked.validated_data["comment"])
        return _kept(review, request.user)


class SkipView(APIView):
    """Leaves an article to others, with a reason that the next person may read."""

    permission_classes = [MayAsk]
    parser_classes = [ShallowJson]

    @extend_schema_serializer(component_name="SkipRequest")
    class Input(Strict):
        bounds = {"reason": {"pattern": r"\S"}}

        reason = Text(max_length=300)

    @extend_schema(
        operation_id="task_skip",
        request=Input,
        responses={204: OpenApiResponse(description="Skipped."), **refusals(400, 401, 403, 404, 415)},
    )
    def post(self, request: Request, pk: int) -> Response:
        asked = self.Input(data=request.data)
        asked.is_valid(raise_exception=True)
        task = _task(pk)
        turn = task.turns.filter(reviewer=request.user).first() or turns.take_turn(task=task, reviewer=request.user)
        turns.skip(turn, asked.validated_data["reason"])
        return Response(status=204)


def _task(pk: int) -> ReviewTask:
    return get_object_or_404(ReviewTask.objects.select_related("version__filter", "article"), pk=pk)


def _described(task: ReviewTask) -> dict[str, Any]:
    article, version = task.article, task.version
    told = {"id": task.pk, "filter": version.filter.slug, "version": version.number, "dimensions": version.dimensions}
    return told | {"article": article.pk, "title": article.title, "text": article.text, "text_sha256": article.text_sha256}


def _in_order(version: FilterVersion, scores: dict[str, float | None]) -> list[float | None]:
    """In the rubric's order. Raises ValidationError that names what is missing and what the rubric doesn't have."""
    missing = {key: ["A score is missing; send null where it can't be scored."] for key in version.keys if key not in scores}
    strange = {key: ["The rubric has no such dimension."] for key in scores if key not in version.keys}
    if missing or strange:
        raise serializers.ValidationError({"scores": missing | strange})
    return [scores[key] for key in version.keys]


def _kept(review: Review, person: Any) -> Response:
    task = _task(review.task_id)
    told = {"task": task.pk, "scores": _named(task, review.scores), "blind": review.blind, "created_at": review.created_at}
    told["final"] = None if review.final is None else _named(task, review.final)
    return Response(Kept(told | {"oracles": _oracles(Desk(task, person, own=review))}).data)


def _oracles(desk: Desk) -> list[dict[str, Any]]:
    """Only what the person may see at this point, as on the page."""
    return [
        {"oracle": one.name, "reading": one.reading, "scores": _named(desk.task, one.scores), "reasoning": one.reasoning}
        for one in desk.oracles
    ]


def _named(task: ReviewTask, scores: list[float | None]) -> dict[str, float | None]:
    return dict(zip(task.version.keys, scores, strict=True))
