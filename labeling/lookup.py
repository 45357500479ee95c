"""What a person types on a command line, found; or a sentence that says what there is instead."""

from typing import TypeVar

from django.db.models import Model, QuerySet

from distillery_site.common.errors import BadInput
from labeling.models import Filter, FilterVersion

Row = TypeVar("Row", bound=Model)


def filter_(slug: str) -> Filter:
    return one(Filter.objects.filter(slug=slug), f"There is no filter {slug!r}", Filter.objects.all())


def version(text: str) -> FilterVersion:
    """`uplifting` is the newest version of a filter, `uplifting@2` its second."""
    slug, _, number = text.partition("@")
    versions = filter_(slug).versions.select_related("filter").order_by("-number")
    found = versions.filter(number=number) if number.isdigit() else versions if not number else versions.none()
    return one(found, f"There is no {text!r}", versions)


def one(found: QuerySet[Row], complaint: str, instead: QuerySet) -> Row:
    """The first that was found; else BadInput that names up to ten of those there are."""
    row = found.first()
    if row is None:
        raise BadInput(f"{complaint}. {there_is(instead)}")
    return row


def there_is(rows: QuerySet) -> str:
    names = [str(row) for row in rows[:10]]
    return f"There is: {', '.join(names)}." if names else "There is none yet."
