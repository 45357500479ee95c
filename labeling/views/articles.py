"""The list of articles, one article, and files of new ones."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from distillery_site.common.errors import BadInput
from labeling import services
from labeling.articles.browse import Narrowing, lines, page_of
from labeling.articles.judged import judged, split_at_words
from labeling.current import current_filter, current_version, latest_policy
from labeling.figures import article_facets
from labeling.forms import ImportForm
from labeling.models import Article, FilterVersion, ReviewTask


def articles(request: HttpRequest) -> HttpResponse:
    version = current_version(request)
    policy = latest_policy(version)
    narrowing = Narrowing.of(request.GET)
    page = page_of(narrowing.apply(version, policy), request.GET.get("page"))
    return render(
        request,
        "labeling/articles.html",
        {
            "page": page,
            "lines": lines(page, version, policy),
            "narrowing": narrowing,
            "version": version,
            "facets": article_facets(narrowing.searched(), policy),
            "names": [dimension["name"] for dimension in version.dimensions] if version else [],
        },
    )


def article(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Article, pk=pk)
    filters = judged(found, current_filter(request))
    limit = filters[0].version.view["max_words"] if filters else found.words
    seen, unseen = split_at_words(found.text, limit)
    return render(
        request,
        "labeling/article.html",
        {
            "article": found,
            "filters": filters,
            "limit": limit,
            "seen": seen,
            "unseen": unseen,
        },
    )


def article_send(request: HttpRequest, pk: int) -> HttpResponse:
    """Put an article into the review queue of one rubric."""
    found = get_object_or_404(Article, pk=pk)
    version = get_object_or_404(FilterVersion, pk=request.POST.get("version") or 0)
    sent = f"Sent by {request.user.get_username()}."
    services.open_review(version=version, article=found, reason=ReviewTask.Reason.SENT, detail=sent, priority=1.0)
    messages.success(request, f"It waits in the review queue of {version.filter.name} now.")
    return redirect("article", pk)


def article_import(request: HttpRequest) -> HttpResponse:
    form, reports = ImportForm(request.POST or None, request.FILES or None), None
    if request.method == "POST" and form.is_valid():
        try:
            reports = form.load(actor=request.user)
        except BadInput as error:
            form.add_error("file", str(error))
    return render(request, "labeling/article_import.html", {"form": form, "reports": reports}, status=400 if form.errors else 200)
