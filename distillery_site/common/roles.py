"""The roles, and what each of them covers: a lattice, not a ladder.

A reviewer is no stronger viewer: who only reviews sees the queue and nothing of what oracles and students say, so that
nothing leads them. A person may be in several groups; what these cover together is theirs.
"""

from typing import Any

NOBODY, MEMBER = "nobody", "member"  # the door without a sign-in, and the one for everybody who has any role
VIEWER, REVIEWER, LEAD, OPERATOR, ADMIN = "viewer", "reviewer", "lead", "operator", "admin"
ROLES = (NOBODY, VIEWER, REVIEWER, LEAD, OPERATOR, ADMIN)  # nobody is no group; the highest one is a person's name for others

COVERS: dict[str, frozenset[str]] = {
    VIEWER: frozenset({MEMBER, VIEWER}),
    REVIEWER: frozenset({MEMBER, REVIEWER}),
    LEAD: frozenset({MEMBER, VIEWER, REVIEWER, LEAD}),
    OPERATOR: frozenset({MEMBER, VIEWER, REVIEWER, LEAD, OPERATOR}),
    ADMIN: frozenset({MEMBER, VIEWER, REVIEWER, LEAD, OPERATOR, ADMIN}),
}


def roles_of(user: Any) -> frozenset[str]:
    """The roles that a person was given; none for an account that is closed, has no group or isn't there at all."""
    if not user.is_active or not user.is_authenticated:
        return frozenset()
    known: frozenset[str] | None = getattr(user, "known_roles", None)
    return read_roles(user) if known is None else known


def read_roles(user: Any) -> frozenset[str]:
    """As the groups say now; a request asks once and keeps the answer on its user as `known_roles`."""
    if user.is_superuser:
        return frozenset({ADMIN})
    return frozenset(user.groups.filter(name__in=COVERS).values_list("name", flat=True))


def covered(user: Any) -> frozenset[str]:
    """All that the person's roles cover together."""
    return frozenset().union(*(COVERS[role] for role in roles_of(user)))


def covers(user: Any, role: str) -> bool:
    """Whether the person may do what this role may."""
    return role == NOBODY or role in covered(user)


def role_of(user: Any) -> str:
    """The highest role of a person; an account without a group, or none at all, is nobody."""
    return max(roles_of(user), key=ROLES.index, default=NOBODY)
