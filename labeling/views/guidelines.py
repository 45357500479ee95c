"""How the rubric is meant: its anchors beside the cases that leads decided."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from labeling.articles.judged import split_at_words
from labeling.current import choose_filter
from labeling.reviewing.gold import voices
from labeling.reviewing.guidelines import case_of, guidelines, shown_to
from labeling.views.decisions import newest


def guidelines_page(request: HttpRequest, slug: str) -> HttpResponse:
    version = newest(slug)
    choose_filter(request, slug)
    return render(request, "labeling/guidelines.html", {"version": version, "guidelines": guidelines(version, request.user)})


def guideline(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One case with its article, for readers who may see no article pages."""
    version = newest(slug)
    decision = get_object_or_404(shown_to(version, request.user), pk=pk)
    case = case_of(decision, voices(version, [decision.article_id]).get(decision.article_id, []))
    seen, _ = split_at_words(decision.article.text, version.view["max_words"])
    rows = list(zip(version.dimensions, decision.scores, strict=True))
    return render(request, "labeling/guideline.html", {"version": version, "case": case, "seen": seen, "rows": rows})
