"""The review queue, and one article to score: the oracle's label shows only after one's own is in."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from distillery_site.common.errors import BadInput
from labeling import services
from labeling.articles.judged import oracles_on, split_at_words
from labeling.current import current_version
from labeling.forms import ScaleForm
from labeling.models import Review, ReviewTask

PAGE = 50


def reviews(request: HttpRequest) -> HttpResponse:
    version = current_version(request)
    tasks = ReviewTask.objects.filter(version=version)
    queue = tasks.filter(done_at=None).select_related("article").order_by("-priority", "pk")
    page = Paginator(queue, PAGE).get_page(request.GET.get("page"))
    done = Review.objects.filter(task__version=version)
    by_person = done.values_list("reviewer__username").annotate(n=Count("pk")).order_by("-n")
    recent = done.select_related("task__article", "reviewer").order_by("-pk")[:10]
    return render(request, "labeling/reviews.html", {"page": page, "version": version, "by_person": by_person, "recent": recent})


def review(request: HttpRequest, pk: int) -> HttpResponse:
    task = get_object_or_404(ReviewTask.objects.select_related("version__filter", "article"), pk=pk)
    own = task.reviews.filter(reviewer=request.user).first()
    form = ScaleForm(request.POST or None, version=task.version)
    if request.method == "POST" and own is None and form.is_valid():
        try:
            services.submit_review(task=task, reviewer=request.user, scores=form.scores, comment=form.cleaned_data["comment"])
            return redirect("review", pk)
        except BadInput as error:
            messages.error(request, str(error))
    return render(request, "labeling/review.html", {**_reading(task), "form": form, "own": own, **_compared(task, own)})


def _reading(task: ReviewTask) -> dict[str, Any]:
    seen, unseen = split_at_words(task.article.text, task.version.view["max_words"])
    rest = ReviewTask.objects.filter(version=task.version, done_at=None).exclude(pk=task.pk)
    return {"task": task, "seen": seen, "unseen": unseen, "left": rest.count(), "next": rest.order_by("-priority", "pk").first()}


def _compared(task: ReviewTask, own: Review | None) -> dict[str, Any]:
    """What every oracle said, beside one's own scores and their difference to the first of them; nothing before those are in."""
    if own is None:
        return {}
    oracles = oracles_on(task.article, task.version)
    rows = []
    for place, dimension in enumerate(task.version.dimensions):
        mine, theirs = own.scores[place], [column.scores[place] for column in oracles]
        unknown = not theirs or mine is None or theirs[0] is None
        rows.append((dimension["name"], mine, theirs, None if unknown else mine - theirs[0]))
    return {"oracles": oracles, "rows": rows}
