"""Next to label: which unlabelled articles would teach most, and their way to people or to an oracle."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from distillery_site.common.errors import BadInput
from distillery_site.common.roles import LEAD, OPERATOR
from distillery_site.common.text import canonical_hash
from labeling.comparing.readings import sources
from labeling.current import choose_filter
from labeling.models import Filter, FilterVersion, LabelingRun, Oracle
from labeling.planning.label_form import MODES, PlannedForm
from labeling.planning.plans import Plan, plan
from labeling.reviewing.access import require
from labeling.reviewing.tasks import send_list
from labeling.services import start_labeling
from labeling.tasks import send
from labeling.views.decisions import newest
from scoring import teaching
from scoring.engine.base import EngineError

SALT, HOURS = "next to label", 12
STALE = "These articles were chosen too long ago, or not here. Look again."
CHANGED = "The choices changed since this plan was made; look at it again."


class LookForm(forms.Form):
    """How many articles to pick, and the seed of the part that is read."""

    size = forms.IntegerField(
        min_value=teaching.FEWEST, max_value=teaching.MOST, initial=teaching.USUAL, label="How many articles to pick"
    )
    seed = forms.IntegerField(
        min_value=0, initial=0, required=False, help_text="The same seed reads the same articles in the same order."
    )


class RunForm(PlannedForm):
    """Who labels the sample that was found, and how; the sample itself comes along, which only we can have made."""

    oracle = forms.ModelChoiceField(Oracle.objects.none(), empty_label=None, help_text="Those that can be asked from here.")
    mode = forms.ChoiceField(choices=MODES, widget=forms.RadioSelect, initial="direct", label="How")
    chosen = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, version: FilterVersion, **kwargs: Any):
        super().__init__(*args, **kwargs)
        known = [source.oracle.pk for source in sources(version) if source.oracle.provider != "external"]
        field = self.fields["oracle"]
        field.queryset = Oracle.objects.exclude(provider="external").order_by("pk")  # type: ignore[attr-defined]
        field.initial = next(iter(known), None)

    def wish(self, sample: teaching.Sample) -> str:
        """Names what was asked for, so that a plan for something else doesn't hold for it."""
        return canonical_hash(
            [sample.version.pk, self.cleaned_data["oracle"].identity, self.cleaned_data["mode"], sample.articles]
        )


def next_to_label(request: HttpRequest, slug: str) -> HttpResponse:
    version = newest(slug)
    choose_filter(request, slug)
    form, found = LookForm(request.POST or None), None
    if form.is_valid():
        try:
            found = teaching.look(version=version, size=form.cleaned_data["size"], seed=form.cleaned_data["seed"] or 0)
        except (BadInput, EngineError) as problem:
            form.add_error(None, getattr(problem, "problems", None) or str(problem))
    context = {
        "version": version,
        "form": form,
        "found": found,
        "chosen": signing.dumps(found.as_dict(), salt=SALT, compress=True) if found else "",
        "students": teaching.students_of(version),
        "pool": len(teaching.pool_of(version)),
        "seconds": round(teaching.SECONDS),
    }
    return render(request, "scoring/next_to_label.html", context, status=400 if form.errors else 200)


def _sample(request: HttpRequest, filter_: Filter) -> teaching.Sample | None:
    """What came along from the look, if it was of this filter."""
    try:
        told = signing.loads(request.POST.get("chosen", ""), salt=SALT, max_age=HOURS * 3600)
    except signing.BadSignature:
        return None
    sample = teaching.sample_of(told)
    return sample if sample.version.filter_id == filter_.pk else None


@require_POST
def next_to_label_review(request: HttpRequest, slug: str) -> HttpResponse:
    """To people: the picked articles become review tasks."""
    filter_ = get_object_or_404(Filter, slug=slug)
    require(request.user, filter_, LEAD)
    sample = _sample(request, filter_)
    if sample is None:
        messages.error(request, STALE)
        return redirect("next_to_label", slug)
    sent = send_list(version=sample.version, picks=sample.picks, actor=request.user, what="next to label")
    messages.success(request, sent.sentence)
    return redirect("reviews")


@require_POST
def next_to_label_run(request: HttpRequest, slug: str) -> HttpResponse:
    """To an oracle: first the plan, then a cap, a yes, and off it goes."""
    filter_ = get_object_or_404(Filter, slug=slug)
    require(request.user, filter_, OPERATOR)
    sample = _sample(request, filter_)
    if sample is None:
        messages.error(request, STALE)
        return redirect("next_to_label", slug)
    form = RunForm(request.POST if "look" in request.POST or "start" in request.POST else None, version=sample.version)
    if not form.is_bound or not form.is_valid():
        return _show(request, form, sample, status=400 if form.errors else 200)
    if "start" in request.POST and (answer := _start(request, form, sample)) is not None:
        return answer
    return _show(request, form, sample, _plan(form, sample), status=400 if form.errors else 200)


def _plan(form: RunForm, sample: teaching.Sample) -> Plan:
    values = form.cleaned_data
    return plan(version=sample.version, oracle=values["oracle"], articles=sample.articles, mode=values["mode"])


def _start(request: HttpRequest, form: RunForm, sample: teaching.Sample) -> HttpResponse | None:
    """On to the run's page; None where something is missing, which the form then says."""
    planned, values = form.looked_at(form.wish(sample)), form.cleaned_data
    if planned is None:
        form.add_error(None, CHANGED)
    if planned is None or not form.may_start(planned):
        return None
    try:
        run = start_labeling(
            version=sample.version,
            oracle=values["oracle"],
            articles=sample.articles,
            mode=values["mode"],
            kind=LabelingRun.Kind.ENRICHED,
            budget_usd=values["budget_usd"],
            sampling=sample.sampling,
            weights=sample.weights,
            enriched=sample.picked,
            plan=planned,
            agreed=values["agree"],
            actor=request.user,
        )
    except BadInput as problem:
        form.add_error(None, problem.problems)
        return None
    send(run)
    return redirect("labeling_run", run.pk)


def _show(
    request: HttpRequest, form: RunForm, sample: teaching.Sample, plan: Plan | None = None, status: int = 200
) -> HttpResponse:
    more = form.planned(plan, form.wish(sample)) if plan else {}
    context = {"form": form, "sample": sample, "version": sample.version, "chosen": request.POST["chosen"], **more}
    if request.htmx and "start" not in request.POST:  # type: ignore[attr-defined]
        return render(request, "labeling/_plan.html", context)
    return render(request, "scoring/next_run.html", context, status=status)
