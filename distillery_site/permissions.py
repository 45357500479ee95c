"""Who may do what: THE table, route → method → the least role; what isn't in it is denied to everyone.

Roles are Django groups, each of which may do all that the ones before it may. A middleware asks the table for every
request of a signed-in person; the API, whose callers come with a key, asks it again through `request.permits`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.shortcuts import resolve_url
from django_htmx.http import HttpResponseClientRedirect

NOBODY, VIEWER, REVIEWER, LEAD, OPERATOR, ADMIN = "nobody", "viewer", "reviewer", "lead", "operator", "admin"
ROLES = (NOBODY, VIEWER, REVIEWER, LEAD, OPERATOR, ADMIN)
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
    "overview": see(),
    "glossary": see(),
    "filter_switch": do(VIEWER),
    # labeling
    "filters": see(),
    "filter": see(),
    "filter_new": form(LEAD),
    "filter_edit": form(LEAD),
    "filter_package": see(),
    "filter_cap": do(LEAD),
    "filter_prefilter": do(LEAD),
    "agreement": see(),
    "agreement_review": do(REVIEWER),
    "decisions": see(LEAD),
    "decide": form(LEAD),
    "guidelines": see(),
    "guideline": see(),
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
    "oracle_probe": do(LEAD),
    "reviews": see(),
    "review": form(REVIEWER),
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
    "api_promote": do(OPERATOR),
    "api_rollback": do(OPERATOR),
    "api_schema": see(),
    "api_docs": see(),
    # Django's admin: raw rows
    "admin:*": form(ADMIN),
}


def role_of(user: Any) -> str:
    """The highest role of a person; an account without a group, or none at all, is nobody."""
    if not user.is_active or not user.is_authenticated:
        return NOBODY
    if user.is_superuser:
        return ADMIN
    groups = set(user.groups.values_list("name", flat=True))
    return max((role for role in ROLES[1:] if role in groups), key=ROLES.index, default=NOBODY)


def rule_for(route: str) -> Rule | None:
    """A route's rule by its name, or by its namespace (`admin:*`)."""
    namespace, colon, _ = route.partition(":")
    return TABLE.get(route) or (TABLE.get(f"{namespace}:*") if colon else None)


def allowed(user: Any, route: str, method: str) -> bool:
    rule = rule_for(route)
    needed = rule.get("GET" if method in ("HEAD", "OPTIONS") else method) if rule else None
    return needed is not None and (needed == NOBODY or ROLES.index(role_of(user)) >= ROLES.index(needed))


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
        request.permits = partial(allowed, route=route, method=method)  # type: ignore[attr-defined]
        if request.permits(request.user):  # type: ignore[attr-defined]
            return None
        in_api = request.path.startswith("/api/") and route != "api_docs"  # which people read
        if in_api and rule_for(route) and not request.user.is_authenticated:
            return None  # the API asks for the key itself
        if not request.user.is_authenticated:
            return _ask_to_sign_in(request)
        return _refuse(request, route, method, in_api)


NO_ROLE = "Your account has no role yet. Ask an administrator to put it into a group."


def _refuse(request: HttpRequest, route: str, method: str, in_api: bool) -> HttpResponse | None:
    rule = rule_for(route) or {}
    if rule and method not in (*rule, "HEAD", "OPTIONS"):
        return None if in_api else HttpResponseNotAllowed(list(rule))
    role = role_of(request.user)
    sentence = NO_ROLE if role == NOBODY else f"This needs the role {rule.get(method, ADMIN)}; yours is {role}."
    if in_api:
        return JsonResponse({"error": {"code": "permission_denied", "message": sentence}}, status=403)
    raise PermissionDenied(sentence)


def _ask_to_sign_in(request: HttpRequest) -> HttpResponse:
    """A page sends people to the login; a live fragment sends the whole page there, not itself."""
    if getattr(request, "htmx", False):
        return HttpResponseClientRedirect(resolve_url("login"))
    return redirect_to_login(request.get_full_path() if request.method == "GET" else "")
