"""Paste an article, see what the champions say of it."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from distillery_site.common.errors import BadInput
from distillery_site.common.models import ApiKey
from labeling.reviewing.access import filters_for, offer, seen_by
from scoring import services
from scoring.engine.base import EngineError
from scoring.figures import latest_benchmark
from scoring.forms import TryForm
from training.models import Deployment


def scoring(request: HttpRequest) -> HttpResponse:
    return _page(request, offer(TryForm(), filters_for(request.user), "pk", "filter"))


def _page(request: HttpRequest, form: TryForm, status: int = 200, **more: object) -> HttpResponse:
    serving = (
        seen_by(request.user, Deployment.objects.all(), "filter")
        .select_related("filter", "model", "changed_by")
        .order_by("filter__slug", "alias")
    )
    keys = ApiKey.objects.select_related("user").order_by("revoked_at", "-pk")
    context = {"form": form, "serving": serving, "keys": keys, "api": request.build_absolute_uri("/api/v1/score")}
    return render(request, "scoring/scoring.html", {**context, **more}, status=status)


@dataclass(frozen=True)
class Line:
    """One dimension's score, with its interval, or else how far this student is usually off on it where that is known."""

    name: str
    score: float
    raw: float
    error: float | None
    interval: tuple[float, float] | None

    @property
    def low(self) -> float | None:
        return self.interval[0] if self.interval else self.score - self.error if self.error is not None else None

    @property
    def high(self) -> float | None:
        return self.interval[1] if self.interval else self.score + self.error if self.error is not None else None


@dataclass(frozen=True)
class Answer:
    """A scored article as the page shows it."""

    scored: services.Scored

    @property
    def held_down(self) -> bool:
        verdict = self.scored.verdict
        return verdict.average is not None and verdict.capped_average != verdict.average

    @property
    def lines(self) -> list[Line]:
        scored, test = self.scored, latest_benchmark(self.scored.model)
        rows = test.report["outputs"] if test else []
        errors = {row["dimension"]: row["mae"] for row in rows if row["filter"] == scored.version.filter.slug}
        names = {dimension["key"]: dimension["name"] for dimension in scored.version.dimensions}
        inside = scored.intervals or {}
        return [
            Line(names[key], score, scored.raw[key], errors.get(key), inside.get(key)) for key, score in scored.scores.items()
        ]


def score_try(request: HttpRequest) -> HttpResponse:
    """The answer alone for htmx, the whole page with it for everyone else."""
    form = offer(TryForm(request.POST or None), filters_for(request.user), "pk", "filter")
    answers, problem = [], ""
    if form.is_valid():
        try:
            answers = [Answer(services.score_articles(filter=one, articles=[form.article])[0]) for one in form.filters]
        except (BadInput, services.NoModel, EngineError) as error:
            problem = str(error)
    found = {"form": form, "answers": answers, "problem": problem}
    if getattr(request, "htmx", False):
        return render(request, "scoring/_answers.html", found)
    return _page(request, status=400 if form.errors else 503 if problem else 200, **found)
