"""The list of articles, one article, and files of new ones."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from distillery_site.common.errors import BadInput
from distillery_site.common.roles import REVIEWER
from labeling import services
from labeling.articles.browse import Narrowing, lines, page_of
from labeling.articles.judged import judged, split_at_words
from labeling.current import current_filter, current_version, latest_policy
from labeling.figures import article_facets
from labeling.forms import ImportForm
from labeling.models import Article, FilterVersion
from labeling.reviewing.access import filters_for, filters_to_lead, may_review, offer, require
from labeling.reviewing.tasks import MOST_SENT, sent_by


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
            "may_send": version is not None and may_review(request.user, version.filter),
            "most_sent": MOST_SENT,
            "facets": article_facets(narrowing.searched(), policy),
            "names": [dimension["name"] for dimension in version.dimensions] if version else [],
        },
    )


def article(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Article, pk=pk)
    filters = judged(found, current_filter(request), filters_for(request.user))
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
    require(request.user, version.filter, REVIEWER)
    services.send_article(version=version, article=found, actor=request.user)
    messages.success(request, f"It waits in the review queue of {version.filter.name} now.")
    return redirect("article", pk)


@require_POST
def articles_send(request: HttpRequest) -> HttpResponse:
    """The chosen articles of a list, or all that it was narrowed to, to the queue of the filter one works with."""
    version = current_version(request)
    if version is None:
        raise Http404
    require(request.user, version.filter, REVIEWER)
    narrowing = Narrowing.of(request.GET)
    found = narrowing.apply(version, latest_policy(version))
    if "all" not in request.POST:
        found = found.filter(pk__in=[int(key) for key in request.POST.getlist("article") if key.isascii() and key.isdigit()])
    picks = [sent_by(request.user, key) for key in found.values_list("pk", flat=True)[:MOST_SENT]]
    if not picks:
        messages.error(request, "Nothing was sent: tick the articles that people should look at.")
        return redirect(f"{reverse('articles')}?{request.GET.urlencode()}")
    sent = services.send_list(version=version, picks=picks, actor=request.user, what=str(narrowing))
    messages.success(request, sent.sentence)
    return redirect("reviews")


def article_import(request: HttpRequest) -> HttpResponse:
    form = offer(ImportForm(request.POST or None, request.FILES or None), filters_to_lead(request.user), "pk", "filter")
    reports = None
    if request.method == "POST" and form.is_valid():
        try:
            reports = form.load(actor=request.user)
        except BadInput as error:
            form.add_error("file", str(error))
    return render(request, "labeling/article_import.html", {"form": form, "reports": reports}, status=400 if form.errors else 200)
