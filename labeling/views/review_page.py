"""One article and its scales: reading, keeping, settling, skipping, and what comes next.

Every address answers a plain form with a page; asked for a `part` it answers with the desk alone, which static/review/
puts in place of the one before.
"""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from distillery_site.common.errors import BadInput
from distillery_site.common.roles import REVIEWER
from labeling.models import Review, ReviewTask, ReviewTurn
from labeling.reviewing import access, turns
from labeling.reviewing.desk import Desk, open_desk
from labeling.reviewing.sheet import Sheet
from labeling.reviewing.submitting import AlreadyReviewed, TaskDone, TextChanged, finish_review, submit_review

CONFLICT, UNUSABLE = 409, 422
OTHER_PERSON = "These scores were given by somebody else who uses this browser. Sign in as that person, and they are sent."


def review(request: HttpRequest, pk: int) -> HttpResponse:
    task = _task(request, pk)
    return _keep(request, task) if request.method == "POST" else _show(request, open_desk(task, request.user))


@require_POST
def review_finish(request: HttpRequest, pk: int) -> HttpResponse:
    """The scores that stand after the oracle's were seen."""
    task = _task(request, pk)
    own = get_object_or_404(Review, task=task, reviewer_id=request.user.pk)
    sheet = Sheet(request.POST, version=task.version)
    if not sheet.is_valid():
        return _show(request, _filled(task, request, sheet, own=own), UNUSABLE)
    try:
        own = finish_review(review=own, scores=sheet.scores, comment=sheet.cleaned_data["comment"])
    except BadInput as error:
        return _show(request, _filled(task, request, sheet, error, own=own), UNUSABLE)
    return HttpResponse(status=204) if _wants_part(request) else _go_on(request, task)


@require_POST
def review_next(request: HttpRequest) -> HttpResponse:
    """The person's next turn, after the task named by `after`; 204 where nothing waits."""
    after = ReviewTask.objects.select_related("version__filter").filter(pk=_number(request.POST.get("after", ""))).first()
    return _go_on(request, after)


@require_POST
def review_skip(request: HttpRequest, pk: int) -> HttpResponse:
    task = _task(request, pk)
    try:
        turns.skip(_turn(task, request.user), request.POST.get("reason", ""))
    except BadInput as error:
        desk = open_desk(task, request.user)
        desk.problems = error.problems
        return _show(request, desk, UNUSABLE)
    return HttpResponse(status=204) if _wants_part(request) else _go_on(request, task)


@require_POST
def review_beat(request: HttpRequest, pk: int) -> HttpResponse:
    """The page is still open: hold the place, or say that it is somebody else's now."""
    try:
        turns.renew(get_object_or_404(ReviewTurn, task=_task(request, pk), reviewer_id=request.user.pk))
    except BadInput as error:
        return HttpResponse(str(error), status=CONFLICT, content_type="text/plain; charset=utf-8")
    return HttpResponse(status=204)


@require_POST
def review_release(request: HttpRequest, pk: int) -> HttpResponse:
    """The page was left: let others have what was loaded ahead."""
    for turn in ReviewTurn.objects.filter(task=_task(request, pk), reviewer_id=request.user.pk):
        turns.release(turn)
    return HttpResponse(status=204)


def _keep(request: HttpRequest, task: ReviewTask) -> HttpResponse:
    sheet = Sheet(request.POST, version=task.version)
    if not sheet.is_valid():
        return _show(request, _filled(task, request, sheet), UNUSABLE)
    said = sheet.cleaned_data
    if said["reviewer"] not in (None, request.user.pk):
        return _show(request, _filled(task, request, sheet, BadInput(OTHER_PERSON)), CONFLICT)
    rest = {name: said[name] for name in ("comment", "evidence", "seconds", "submission", "read", "extra")}
    try:
        own = submit_review(task=task, reviewer=request.user, scores=sheet.scores, **rest)
    except AlreadyReviewed as error:
        return _show(request, _filled(task, request, sheet, error, own=error.review), CONFLICT)
    except (TaskDone, TextChanged) as error:
        return _show(request, _filled(task, request, sheet, error), CONFLICT)
    except BadInput as error:
        return _show(request, _filled(task, request, sheet, error), UNUSABLE)
    return _show(request, Desk(task, request.user, own=own)) if _wants_part(request) else redirect("review", task.pk)


def _filled(
    task: ReviewTask, request: HttpRequest, sheet: Sheet, error: BadInput | None = None, own: Review | None = None
) -> Desk:
    """The desk with what was typed, and what is wrong with it."""
    turn = task.turns.filter(reviewer_id=request.user.pk).first()
    desk = Desk(task, request.user, turn=turn, own=own, sheet=sheet, done=isinstance(error, TaskDone))
    desk.problems, desk.typed = error.problems if error else sheet.problems, sheet.typed()
    return desk


def _go_on(request: HttpRequest, after: ReviewTask | None) -> HttpResponse:
    """On to the next article: of the same filter while there is one, then of the person's others."""
    mine = access.filters_to_review(request.user)
    same = mine.filter(pk=after.version.filter_id) if after else mine.none()
    turn = turns.next_turn(reviewer=request.user, filters=same, after=after) if after else None
    turn = turn or turns.next_turn(reviewer=request.user, filters=mine, after=after)
    if turn is not None:
        return _show_turn(request, turn) if _wants_part(request) else redirect("review", turn.task_id)
    if _wants_part(request):
        return HttpResponse(status=204)
    messages.success(request, "Nothing more waits for you.")
    return redirect("reviews")


def _show_turn(request: HttpRequest, turn: ReviewTurn) -> HttpResponse:
    return _show(request, Desk(_task(request, turn.task_id), request.user, turn=turn))


def _show(request: HttpRequest, desk: Desk, status: int = 200) -> HttpResponse:
    get_token(request)  # the page's script reads the cookie, which a sign-in in another tab renews
    template = "labeling/_desk.html" if _wants_part(request) else "labeling/review.html"
    context = {"desk": desk, "task": desk.task, "csrf_cookie": settings.CSRF_COOKIE_NAME}
    return render(request, template, context, status=status)


def _wants_part(request: HttpRequest) -> bool:
    return "part" in request.GET or "part" in request.POST


def _task(request: HttpRequest, pk: int) -> ReviewTask:
    task = get_object_or_404(ReviewTask.objects.select_related("version__filter", "article"), pk=pk)
    access.require(request.user, task.version.filter, REVIEWER)
    return task


def _turn(task: ReviewTask, reviewer: Any) -> ReviewTurn:
    return task.turns.filter(reviewer=reviewer).first() or turns.take_turn(task=task, reviewer=reviewer)


def _number(text: str) -> int:
    """A task's key as a form sent it; 0 is nobody's."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
