"""The rubric editor: a new filter or another version of one, with what an oracle would be sent beside it."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from distillery_site.common.errors import BadInput
from labeling import services
from labeling.current import choose_filter
from labeling.forms import BudgetForm
from labeling.models import Filter
from labeling.rubrics import editor, packaging
from labeling.rubrics.draft_checks import checked
from labeling.rubrics.drafts import Draft
from labeling.rubrics.previews import counted, counters, preview, thousand
from labeling.running.budget import dollars

MOVED = "Somebody saved this filter since you opened it. Yours stands here as you typed it: look at what saving would do now."
SAID = "Saving would do something else than the button said. Look at the sentence above it, and save again."
LEFT_OUT = "The files say something that no filter has, which is left out here: {}."
SAVED = "saved"  # by this the page's script knows that what it kept is stored now
SOUND = "Nothing needs mending."


def filter_new(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _upload(request) if request.POST.get("do") == "upload" else _work(request, None)
    source = Filter.objects.filter(slug=request.GET.get("from", "")).first()
    version = source.latest if source else None
    return _page(request, None, editor.copy_of(version) if version else Draft.blank(), copied=source)


def filter_edit(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(Filter, slug=slug)
    choose_filter(request, slug)
    if request.method == "POST":
        return _work(request, found)
    version = found.latest
    return _page(request, found, Draft.of(editor.values_of(version)) if version else Draft.blank())


def _work(request: HttpRequest, filter_: Filter | None) -> HttpResponse:
    """What a button asked for, on everything that was typed."""
    draft = Draft.typed((name, value) for name, values in request.POST.lists() for value in values)
    if filter_ is not None:
        draft.boxes["slug"].value = filter_.slug
    verb, _, what = request.POST.get("do", "check").partition(" ")
    if verb == "save":
        return _save(request, filter_, draft)
    if verb == "check":
        sound = _complain(draft)
        return _page(request, filter_, draft, notice=SOUND if sound else "", status=200 if sound else 400)
    focus = draft.do(f"{verb} {what}")
    counter = what if verb == "count" else ""
    return _page(request, filter_, draft, focus=focus, counter=counter, only_preview=verb in ("preview", "count"))


def _complain(draft: Draft) -> bool:
    """Whether the draft is sound; what is not is told at its place."""
    _, problems = checked(draft)
    for place, problem in problems:
        draft.complain(place, problem)
    return not problems


def _save(request: HttpRequest, filter_: Filter | None, draft: Draft) -> HttpResponse:
    package, _ = checked(draft)
    found = editor.outcome(package, filter_)
    if package is None:
        _complain(draft)
        return _page(request, filter_, draft, status=400)
    if request.POST.get("base") != editor.base_of(filter_):
        return _page(request, filter_, draft, warning=MOVED, base=editor.base_of(filter_), status=409)
    if filter_ is not None and found == editor.NOTHING:
        messages.info(request, "Nothing changed, so nothing was saved.", extra_tags=SAVED)
        return redirect("filter", filter_.slug)
    if filter_ is not None and request.POST.get("said") != found.button:
        return _page(request, filter_, draft, warning=SAID, status=409)
    try:
        version = editor.save(package=package, filter_=filter_, actor=request.user)
    except BadInput as error:
        draft.complain("slug" if filter_ is None else "whole", str(error))
        return _page(request, filter_, draft, status=400)
    choose_filter(request, version.filter.slug)
    messages.success(request, f"Saved: {version}, policy {version.policies.latest('number').number}.", extra_tags=SAVED)
    return redirect("filter", version.filter.slug)


def _upload(request: HttpRequest) -> HttpResponse:
    try:
        values = packaging.unpacked(request.FILES.getlist("files"))
    except BadInput as error:
        return _page(request, None, Draft.blank(), upload_problems=error.problems, status=400)
    draft, unknown = Draft.of(values), packaging.strangers(values)
    _complain(draft)
    warning = LEFT_OUT.format(", ".join(unknown)) if unknown else ""
    return _page(request, None, draft, warning=warning, typed=False)


def _page(
    request: HttpRequest,
    filter_: Filter | None,
    draft: Draft,
    *,
    status: int = 200,
    only_preview: bool = False,
    counter: str = "",
    **more: Any,
) -> HttpResponse:
    """The whole page, or what of it htmx asked for."""
    package, _ = checked(draft)
    shown = preview(draft, filter_, request.POST.get("article", "") or request.GET.get("article", ""))
    context = {
        "filter": filter_,
        "version": filter_.latest if filter_ else None,
        "draft": draft,
        "complaints": draft.complaints,
        "outcome": editor.outcome(package, filter_),
        "typed": request.method == "POST",
        "base": request.POST.get("base") or editor.base_of(filter_),
        "preview": shown,
        "cost": thousand(shown),
        "counters": counters(),
        "counted": counted(shown, counter) if counter else "",
        "oob": only_preview and request.htmx,  # type: ignore[attr-defined]
        **more,
    }
    fragment = "labeling/_preview.html" if only_preview else "labeling/_fields.html"
    return render(request, fragment if request.htmx else "labeling/filter_edit.html", context, status=status)  # type: ignore[attr-defined]


def filter_package(request: HttpRequest, slug: str) -> HttpResponse:
    """The newest version and policy as a zip with filter.yaml and prompt.md."""
    version = get_object_or_404(Filter, slug=slug).latest
    if version is None:
        raise Http404
    try:
        found = packaging.packed(slug, editor.files_of(version))
    except BadInput as error:
        messages.error(request, f"It can't be written as files: {error}")
        return redirect("filter", slug)
    return HttpResponse(
        found, content_type="application/zip", headers={"Content-Disposition": f'attachment; filename="{slug}.zip"'}
    )


def filter_cap(request: HttpRequest, slug: str) -> HttpResponse:
    """The most that labelling by this filter may cost; an empty one takes the cap away."""
    found, form = get_object_or_404(Filter, slug=slug), BudgetForm(request.POST)
    try:
        if not form.is_valid():
            raise BadInput(*form.errors["budget_usd"])
        cap = form.cleaned_data["budget_usd"]
        services.set_filter_cap(filter=found, budget_usd=cap, actor=request.user)
        messages.success(request, f"The cap is {dollars(cap)} now." if cap is not None else "There is no cap any more.")
    except BadInput as error:
        messages.error(request, str(error))
    return redirect("filter", slug)
