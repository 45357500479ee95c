"""What one person may give another: never more than they hold themselves."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction

from distillery_site.common.errors import BadInput
from distillery_site.common.models import record
from distillery_site.common.roles import ADMIN, COVERS, ROLES, covered, read_roles, roles_of
from labeling.models import Filter
from labeling.reviewing.access import SEES_ALL, filters_to_lead


def grantable(giver: Any) -> list[str]:
    """The roles that this person may give, lowest first. Who sees only their own filters gives nobody a sight of all."""
    own, sees_all = covered(giver), bool(roles_of(giver) & SEES_ALL)
    return [role for role in ROLES[1:] if COVERS[role] <= own and (sees_all or role not in SEES_ALL)]


def check_grant(giver: Any, role: str, filters: Iterable[Filter]) -> None:
    """Raises BadInput where it is more than the giver holds."""
    if role not in grantable(giver):
        raise BadInput(f"The role {role} is more than {giver} holds, so it can't be given by them.")
    held = set(filters_to_lead(giver).values_list("slug", flat=True))
    if foreign := sorted({one.slug for one in filters} - held):
        raise BadInput(f"{giver} doesn't lead {', '.join(foreign)}, so access to it can't be given by them.")


def access_of(person: Any) -> dict[str, Any]:
    """As the audit log keeps it."""
    filters = person.filter_access.order_by("filter__slug").values_list("filter__slug", flat=True)
    return {"roles": sorted(read_roles(person), key=ROLES.index), "filters": list(filters), "open": person.is_active}


@transaction.atomic
def change_access(*, person: Any, roles: Iterable[str], filters: Iterable[Filter], is_open: bool, actor: Any) -> bool:
    """Give exactly these roles and filters, and open or close the account; whether that changed anything.

    Raises BadInput where an admin would lock themselves out.
    """
    row = get_user_model().objects.select_for_update().get(pk=person.pk)
    wanted, before = set(roles), access_of(row)
    if row.pk == actor.pk and (ADMIN not in wanted or not is_open):
        raise BadInput("You can't take the admin role from yourself or close your own account; another administrator can.")
    row.groups.set([*row.groups.exclude(name__in=COVERS), *(Group.objects.get_or_create(name=name)[0] for name in wanted)])
    row.is_active, row.is_superuser = is_open, row.is_superuser and ADMIN in wanted
    row.save(update_fields=["is_active", "is_superuser"])
    give_filters(row, filters)
    after = access_of(row)
    if after != before:
        record(actor, "access changed", row, before=before, after=after)
    return after != before


def give_filters(person: Any, filters: Iterable[Filter]) -> None:
    """Exactly these; the caller has the transaction."""
    wanted = list(filters)
    person.filter_access.exclude(filter__in=wanted).delete()
    for filter_ in wanted:
        person.filter_access.get_or_create(filter=filter_)
