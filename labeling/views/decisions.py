"""Where people are too far apart, a lead decides: the list of disputes, and one article with what everybody said of it."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from distillery_site.common.errors import BadInput
from distillery_site.common.roles import LEAD
from labeling.articles.judged import oracles_on, split_at_words
from labeling.current import choose_filter
from labeling.models import Article, Filter, FilterVersion
from labeling.reviewing import deciding
from labeling.reviewing.access import require
from labeling.reviewing.decide_form import DecideForm
from labeling.reviewing.gold import decided, disputes, gold, threshold

LATELY = 50


def newest(slug: str) -> FilterVersion:
    version = get_object_or_404(Filter, slug=slug).latest
    if version is None:
        raise Http404(f"{slug} has no rubric yet.")
    return version


def decisions(request: HttpRequest, slug: str) -> HttpResponse:
    version = newest(slug)
    require(request.user, version.filter, LEAD)
    choose_filter(request, slug)
    context = {
        "version": version,
        "disputes": disputes(version),
        "decided": decided(version).select_related("article", "lead").order_by("-pk")[:LATELY],
        "gold": len(gold(version)),
        "limit": threshold(version),
    }
    return render(request, "labeling/decisions.html", context)


def decide(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    version, article = newest(slug), get_object_or_404(Article, pk=pk)
    require(request.user, version.filter, LEAD)
    bench = deciding.bench(version, article)
    form = DecideForm(request.POST or None, bench=bench)
    if form.is_valid():
        try:
            deciding.decide(lead=request.user, **form.request())
        except BadInput as problem:
            form.add_error(None, problem.problems)
        else:
            return _onward(request, version, article)
    return render(request, "labeling/decide.html", _shown(request, bench, form), status=400 if form.errors else 200)


def _onward(request: HttpRequest, version: FilterVersion, article: Article) -> HttpResponse:
    """To the next dispute, or back to the list after the last."""
    messages.success(request, f"Your decision on “{article}” is gold now.")
    left = disputes(version)
    return redirect("decide", version.filter.slug, left[0].article.pk) if left else redirect("decisions", version.filter.slug)


def _shown(request: HttpRequest, bench: deciding.Bench, form: DecideForm) -> dict[str, object]:
    read, unread = split_at_words(bench.article.text, bench.version.view["max_words"])
    oracles = oracles_on(bench.article, bench.version)
    return {
        "bench": bench,
        "form": form,
        "article": bench.article,
        "version": bench.version,
        "seen": read,
        "unseen": unread,
        "heard": bench.heard(request.user),
        "oracles": oracles,
        "said": [(d["name"], [one.scores[at] for one in oracles]) for at, d in enumerate(bench.version.dimensions)],
        "left": len([one for one in disputes(bench.version) if one.article.pk != bench.article.pk]),
    }
