"""Who may do what: THE table, route → method → the role it takes; what isn't in it is denied to everyone.

Roles are Django groups; common/roles.py says what each of them covers. A middleware asks the table for every request of a
signed-in person, and whether the thing at this address belongs to one of their filters (objects.py); the API, whose
callers come with a key, asks both again through `request.permits`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.shortcuts import resolve_url
from django_htmx.http import HttpResponseClientRedirect

from distillery_site.common.roles import (
    ADMIN,
    LEAD,
    MEMBER,
    NOBODY,
    OPERATOR,
    REVIEWER,
    ROLES,
    VIEWER,
    covers,
    read_roles,
    role_of,
    roles_of,
)
from distillery_site.objects import filters_at
from labeling.reviewing.access import EVERYWHERE, SEES_ALL, filters_for, filters_to_lead, filters_to_review

__all__ = ["ADMIN", "ROLES", "TABLE", "VIEWER", "allowed", "covers", "role_of", "rule_for"]
Rule = dict[str, str]


def see(role: str = VIEWER) -> Rule:
    return {"GET": role}


def do(role: str) -> Rule:
    return {"POST": role}


def form(role: str) -> Rule:
    """A page with a form on it."""
    return {"GET": role, "POST": role}


TABLE: dict[str, Rule] = {
    # the site
    "login": form(NOBODY),
    "logout": do(NOBODY),
    "health": see(NOBODY),
    "overview": see(MEMBER),
    "glossary": see(MEMBER),
    "filter_switch": do(MEMBER),
    # people
    "account": form(MEMBER),
    "account_key_revoke": do(MEMBER),
    "password_change": form(MEMBER),
    "password_reset": form(NOBODY),
    "password_set": form(NOBODY),
    "invitation": form(NOBODY),
    "invitations": form(LEAD),
    "invitation_revoke": do(LEAD),
    "people": see(ADMIN),
    "person": form(ADMIN),
    "person_reset": do(ADMIN),
    "person_unlock": do(ADMIN),
    "audit": see(ADMIN),
    "audit_export": see(ADMIN),
    # labeling
    "filters": see(),
    "filter": see(),
    "filter_new": form(LEAD),
    "filter_edit": form(LEAD),
    "filter_package": see(),
    "filter_cap": do(OPERATOR),
    "filter_prefilter": do(LEAD),
    "agreement": see(),
    "agreement_review": do(REVIEWER),
    "decisions": see(LEAD),
    "decide": form(LEAD),
    "guidelines": see(MEMBER),
    "guideline": see(MEMBER),
    "articles": see(),
    "article": see(),
    "article_send": do(REVIEWER),
    "article_import": form(LEAD),
    "labeling_runs": see(),
    "labeling_new": form(LEAD),
    "labeling_run": see(),
    "labeling_run_live": see(),
    "labeling_run_scores": see(),
    "labeling_run_problems": see(),
    "labeling_run_flags": see(),
    "labeling_run_calls": see(),
    "labeling_call": see(),
    "labeling_run_pause": do(LEAD),
    "labeling_run_cancel": do(LEAD),
    "labeling_run_resume": do(LEAD),
    "labeling_run_retry": do(LEAD),
    "oracles": see(),
    "oracle_probe": do(OPERATOR),
    "reviews": see(MEMBER),
    "review": form(REVIEWER),
    "reviewers": see(REVIEWER),
    "reviewer": see(REVIEWER),
    "review_start": do(REVIEWER),
    "review_rules": form(LEAD),
    "queue_fill": form(LEAD),
    "articles_send": do(REVIEWER),
    "compare_review": do(REVIEWER),
    "review_next": do(REVIEWER),
    "review_finish": do(REVIEWER),
    "review_skip": do(REVIEWER),
    "review_beat": do(REVIEWER),
    "review_release": do(REVIEWER),
    # training
    "labeling_enrich": form(LEAD),
    "datasets": see(),
    "dataset": see(),
    "dataset_new": form(LEAD),
    "dataset_curve": see() | do(LEAD),
    "learning_curve": see(),
    "learning_curve_live": see(),
    "learning_curve_cancel": do(LEAD),
    "learning_curve_resume": do(LEAD),
    "labeling_run_datasets": see(),
    "label_changes": see() | do(LEAD),
    "dataset_benchmarks": see(),
    "bases": see(),
    "base_fetch": do(LEAD),
    "training_runs": see(),
    "training_new": form(LEAD),
    "training_options": do(LEAD),
    "training_estimate_new": do(LEAD),
    "training_estimate": see(),
    "training_run": see(),
    "training_run_live": see(),
    "training_run_cancel": do(LEAD),
    "training_run_resume": do(LEAD),
    # scoring
    "article_students": see(),
    "next_to_label": see() | do(LEAD),
    "next_to_label_review": do(LEAD),
    "next_to_label_run": do(OPERATOR),
    "models": see(),
    "model": see(),
    "models_compare": see(),
    "model_promote": see() | do(OPERATOR),
    "filter_promotions": see(),
    "filter_rollback": do(OPERATOR),
    "scoring": see(),
    "score_try": form(VIEWER),
    "key_new": form(OPERATOR),
    "key_revoke": do(OPERATOR),
    "benchmark": see(),
    "benchmark_live": see(),
    "benchmark_cancel": do(LEAD),
    "benchmark_resume": do(LEAD),
    "benchmark_new": do(LEAD),
    "benchmark_review": do(REVIEWER),
    # the API
    "api_score": do(VIEWER),
    "api_filters": see(),
    "api_models": see(),
    "api_queues": see(REVIEWER),
    "api_queue_tasks": see(REVIEWER),
    "api_queue_next": do(REVIEWER),
    "api_task_review": do(REVIEWER),
    "api_task_finish": do(REVIEWER),
    "api_task_skip": do(REVIEWER),
    "api_promote": do(OPERATOR),
    "api_rollback": do(OPERATOR),
    "api_schema": see(),
    "api_docs": see(),
    # Django's admin: raw rows
    "admin:*": form(ADMIN),
}


def rule_for(route: str) -> Rule | None:
    """A route's rule by its name, or by its namespace (`admin:*`)."""
    namespace, colon, _ = route.partition(":")
    return TABLE.get(route) or (TABLE.get(f"{namespace}:*") if colon else None)


def needed(route: str, method: str) -> str | None:
    """The role that a route takes; None where nobody may."""
    return (rule_for(route) or {}).get("GET" if method in ("HEAD", "OPTIONS") else method)


def allowed(user: Any, route: str, method: str) -> bool:
    """By role alone; a page asks it before it offers a button."""
    role = needed(route, method)
    return role is not None and covers(user, role)


def within_reach(user: Any, role: str, reads: bool, place: str, kwargs: Mapping[str, Any]) -> bool:
    """Whether the person has the role on the filters of the thing at this address: on one of them to read, on all to change."""
    if not kwargs or role in (NOBODY, *EVERYWHERE) or roles_of(user) & (SEES_ALL if role in (MEMBER, VIEWER) else EVERYWHERE):
        return True
    wanted = filters_at(place, kwargs)
    if not wanted:
        return True
    own = {REVIEWER: filters_to_review, LEAD: filters_to_lead}.get(role, filters_for)(user)
    mine = set(own.filter(pk__in=wanted).values_list("pk", flat=True))
    return bool(mine) if reads else mine == wanted


def _permits(user: Any, match: Any, method: str) -> bool:
    role, reads = needed(match.view_name, method), method in ("GET", "HEAD", "OPTIONS")
    return role is not None and covers(user, role) and within_reach(user, role, reads, match.route, match.kwargs)


class RoleBackend(BaseBackend):
    """Gives the admin role every permission that Django's admin asks for, and nobody else any."""

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        return role_of(user_obj) == ADMIN


class DefaultDenyMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        """None lets the view run."""
        assert request.resolver_match is not None
        route, method = request.resolver_match.view_name, request.method or "GET"
        if request.user.is_authenticated:
            request.user.known_roles = read_roles(request.user)  # type: ignore[union-attr]
        request.permits = partial(_permits, match=request.resolver_match, method=method)  # type: ignore[attr-defined]
        if request.permits(request.user):  # type: ignore[attr-defined]
            return None
        in_api = request.path.startswith("/api/") and route != "api_docs"  # which people read
        if in_api and rule_for(route) and not request.user.is_authenticated:
            return None  # the API asks for the key itself
        if not request.user.is_authenticated:
            return _ask_to_sign_in(request)
        return _refuse(request, route, method, in_api)


NO_ROLE = "Your account has no role yet. Ask an administrator to put it into a group."
NOT_YOURS = "This belongs to a filter that isn't among yours. Ask an administrator to add it."


def _refuse(request: HttpRequest, route: str, method: str, in_api: bool) -> HttpResponse | None:
    rule = rule_for(route) or {}
    if rule and method not in (*rule, "HEAD", "OPTIONS"):
        return None if in_api else HttpResponseNotAllowed(list(rule))
    sentence = _why_not(request.user, needed(route, method) or ADMIN)
    if in_api:
        return JsonResponse({"error": {"code": "permission_denied", "message": sentence}}, status=403)
    raise PermissionDenied(sentence)


def _why_not(user: Any, role: str) -> str:
    own = role_of(user)
    if own == NOBODY:
        return NO_ROLE
    return NOT_YOURS if covers(user, role) else f"This needs the role {role}; yours is {own}."


def _ask_to_sign_in(request: HttpRequest) -> HttpResponse:
    """A page sends people to the login; a live fragment sends the whole page there, not itself."""
    if getattr(request, "htmx", False):
        return HttpResponseClientRedirect(resolve_url("login"))
    return redirect_to_login(request.get_full_path() if request.method == "GET" else "")
