"""Whose filter is whose: who may see, review and lead which; roles say what a person does, these say where."""

from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet

from distillery_site.common.errors import BadInput
from distillery_site.common.roles import ADMIN, LEAD, MEMBER, OPERATOR, REVIEWER, VIEWER, covers, roles_of
from labeling.models import Filter

Row = TypeVar("Row", bound=Model)
EVERYWHERE = frozenset({OPERATOR, ADMIN})
SEES_ALL = EVERYWHERE | {VIEWER}


def filters_for(user: Any) -> QuerySet[Filter]:
    """Those that a person may see: all for viewers, operators and admins, else those they were given."""
    if not covers(user, MEMBER):
        return Filter.objects.none()
    return Filter.objects.all() if roles_of(user) & SEES_ALL else _given(user)


def filters_to_review(user: Any) -> QuerySet[Filter]:
    """Those whose queues are a person's; a viewer who also reviews sees all, but reviews what they were given."""
    return _where(user, REVIEWER)


def filters_to_lead(user: Any) -> QuerySet[Filter]:
    return _where(user, LEAD)


def may_review(user: Any, filter_: Filter) -> bool:
    return _where(user, REVIEWER).filter(pk=filter_.pk).exists()


def may_lead(user: Any, filter_: Filter) -> bool:
    return _where(user, LEAD).filter(pk=filter_.pk).exists()


def seen_by(user: Any, rows: QuerySet[Row], path: str = "version__filter") -> QuerySet[Row]:
    """Of some rows, those that a person may see; `path` leads from a row to its filters."""
    return rows if roles_of(user) & SEES_ALL else belonging(rows, filters_for(user), path)


def belonging(rows: QuerySet[Row], filters: QuerySet[Filter], path: str) -> QuerySet[Row]:
    """By a subquery, so that a row of two filters comes once, whatever the caller does with it."""
    return rows.filter(pk__in=rows.model._default_manager.filter(**{f"{path}__in": filters}).values("pk"))


def offer(form: Any, filters: QuerySet[Filter], path: str = "pk", *names: str) -> Any:
    """The form, with nothing to choose at these fields but what belongs wholly to these filters."""
    for name in names:
        field = form.fields[name]
        rows = field.queryset
        foreign = rows.model._default_manager.filter(**{f"{path}__in": Filter.objects.exclude(pk__in=filters)})
        field.queryset = rows.exclude(pk__in=foreign.values("pk"))
    return form


def check_purse(user: Any, paid: bool) -> None:
    """Raises BadInput where something costs money and the person may spend none."""
    if paid and not covers(user, OPERATOR):
        raise BadInput("This costs money, and spending it needs the role operator; ask one to start it.")


def hand_to_maker(user: Any, filter_: Filter) -> None:
    """Who makes a filter leads it, unless they lead all of them anyway."""
    if not roles_of(user) & EVERYWHERE:
        user.filter_access.get_or_create(filter=filter_)


def require(user: Any, filter_: Filter, role: str) -> None:
    """Raises PermissionDenied with a sentence unless the person has this role on this filter."""
    if _where(user, role).filter(pk=filter_.pk).exists():
        return
    if not covers(user, role):
        raise PermissionDenied(f"On {filter_} this needs the role {role}.")
    raise PermissionDenied(f"{filter_} is not among your filters. An administrator can add it on the people page.")


def _where(user: Any, role: str) -> QuerySet[Filter]:
    """The filters on which a person has a role."""
    if role == VIEWER:
        return filters_for(user) if covers(user, VIEWER) else Filter.objects.none()
    if not covers(user, role):
        return Filter.objects.none()
    return Filter.objects.all() if roles_of(user) & EVERYWHERE else _given(user)


def _given(user: Any) -> QuerySet[Filter]:
    """By a subquery, so that callers can narrow it further without a join in their way."""
    return Filter.objects.filter(pk__in=user.filter_access.values("filter"))
