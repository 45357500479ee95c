"""The review queue, and one article to score: the oracle's label shows only after one's own is in."""

from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from labeling.current import current_version
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
