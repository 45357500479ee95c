"""What an article's page shows of students: a fragment, because articles live further right and know none."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from labeling.models import Article
from scoring.said import near_duplicates, students_said


def article_students(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Article, pk=pk)
    return render(request, "scoring/_article.html", {"said": students_said(found), "twins": near_duplicates(found)})
