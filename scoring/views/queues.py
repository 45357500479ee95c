"""Filling a review queue: which articles people should look at, by a policy."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from distillery_site.common.errors import BadInput
from distillery_site.common.roles import LEAD
from labeling.current import choose_filter
from labeling.models import Filter
from labeling.reviewing.access import require
from labeling.reviewing.standing import reasons
from labeling.services import fill_queue
from scoring.forms import FillForm
from scoring.queues import QUEUES


def queue_fill(request: HttpRequest, slug: str) -> HttpResponse:
    filter_ = get_object_or_404(Filter, slug=slug)
    require(request.user, filter_, LEAD)
    choose_filter(request, slug)
    form = FillForm(request.POST or None)
    if form.is_bound and form.is_valid() and _filled(request, filter_, form):
        return redirect("reviews")
    shown = {"filter": filter_, "form": form, "queues": QUEUES.values(), "chosen": form["queue"].value() or "random"}
    shown["waiting"] = reasons(filter_)
    return render(request, "scoring/queue_fill.html", shown, status=400 if form.errors else 200)


def _filled(request: HttpRequest, filter_: Filter, form: FillForm) -> bool:
    """Whether anything was added; if not, the form says why."""
    version = filter_.latest
    if version is None:
        form.add_error(None, f"{filter_.name} has no rubric yet.")
        return False
    try:
        sent = fill_queue(version=version, queue=form.chosen, limit=form.cleaned_data["limit"], actor=request.user)
    except BadInput as error:
        form.add_error("queue", str(error))
        return False
    if not sent.tasks:
        form.add_error("queue", f"{form.chosen.words}: everything that this finds waits already, or people have reviewed it.")
        return False
    messages.success(request, sent.sentence)
    return True
