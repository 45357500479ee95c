"""The page of what people's corrections change, with the button that freezes and trains again."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from distillery_site.common.errors import BadInput
from distillery_site.common.roles import LEAD
from labeling.current import choose_filter
from labeling.models import Filter
from labeling.reviewing.access import require
from training import label_changes as service
from training.freezing.people import People
from training.models import Dataset, ModelVersion
from training.tasks import send

PAGE = 50
POLICIES = [choice for choice in People.choices if choice[0] != People.IGNORE]


class RetrainForm(forms.Form):
    """Which students of which data set learn again, and what people's word does to their targets."""

    dataset = forms.ModelChoiceField(Dataset.objects.all(), widget=forms.HiddenInput)
    models = forms.ModelMultipleChoiceField(
        ModelVersion.objects.select_related("run"),
        error_messages={"required": "Choose at least one student that is to learn again."},
    )
    people = forms.ChoiceField(choices=POLICIES, initial=People.OVERRIDE, label="People's word")


def label_changes(request: HttpRequest, slug: str) -> HttpResponse:
    filter_ = get_object_or_404(Filter, slug=slug)
    choose_filter(request, slug)
    if request.method == "POST":
        return _retrain(request, filter_)
    version = service.spoken_of(filter_)
    if version is None:
        raise Http404(f"{slug} has no rubric yet.")
    found = service.changes(version)
    page = Paginator(found.changed, PAGE).get_page(request.GET.get("page"))
    return render(
        request, "training/label_changes.html", {"found": found, "version": version, "page": page, "policies": POLICIES}
    )


def _retrain(request: HttpRequest, filter_: Filter) -> HttpResponse:
    form = RetrainForm(request.POST)
    try:
        wanted = _wanted(form)
        for version in wanted["dataset"].versions:
            require(request.user, version.filter, LEAD)
        made, runs = service.freeze_and_retrain(**wanted, actor=request.user)
    except BadInput as problem:
        messages.error(request, str(problem))
        return redirect("label_changes", filter_.slug)
    for run in runs:
        send(run)
    many = "One training waits" if len(runs) == 1 else f"{len(runs)} trainings wait"
    messages.success(request, f"The data set {made} is frozen. {many} in the queue.")
    return redirect("dataset", made.name)


def _wanted(form: RetrainForm) -> dict[str, Any]:
    if not form.is_valid():
        raise BadInput(*(str(problem) for found in form.errors.values() for problem in found))
    return {**form.cleaned_data, "models": list(form.cleaned_data["models"])}
