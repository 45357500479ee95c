"""What the rubric editor does with a draft: say what is wrong with it, what saving it would do, and save it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from distillery_site.common.errors import BadInput
from labeling import services
from labeling.current import latest_policy
from labeling.models import Filter, FilterVersion, OracleLabel, Policy
from labeling.reviewing.access import hand_to_maker
from labeling.rubrics.drafts import Draft
from labeling.rubrics.packages import FilterPackage, dump_package, package_of

TAKEN = "There is already a filter {}; edit that one, or choose another short name."
RESERVED = ("new",)  # an address of this site
ASKED = {"name": "name", "description": "description", "anchors": "anchors"}
MADE_OF = {
    "weights": "the weights",
    "tiers": "the tiers",
    "gatekeepers": "the gatekeepers",
    "caps": "the caps",
    "prefilter": "the prefilter",
}


@dataclass(frozen=True)
class Outcome:
    """What saving would do; `button` says it in two words and changes whenever the outcome does."""

    button: str
    sentence: str
    changes: tuple[str, ...] = ()
    refused: bool = False


UNKNOWN = Outcome("Save", "Something is missing or wrong yet; Check says what.")
NOTHING = Outcome("Save", "This is what is stored: there is nothing to save yet.", refused=True)


def values_of(version: FilterVersion, policy: Policy | None = None) -> dict[str, Any]:
    """A stored filter as a package says it; without a policy of its own, every dimension weighs the same."""
    policy = policy or latest_policy(version)
    weights = policy.weights if policy else {}
    dimensions = [{**dimension, "weight": weights.get(dimension["key"])} for dimension in version.dimensions]
    plain = {"slug": version.filter.slug, "name": version.filter.name, "question": version.filter.question}
    parts = ("tiers", "gatekeepers", "caps", "prefilter")
    rest = {name: getattr(policy, name) for name in parts} if policy else {}
    return {**plain, "view": version.view, "dimensions": dimensions, **rest, "prompt": version.prompt}


def copy_of(version: FilterVersion) -> Draft:
    """Everything but the names, which a new filter needs of its own."""
    draft = Draft.of(values_of(version))
    draft.boxes["name"].value = draft.boxes["slug"].value = ""
    return draft


def files_of(version: FilterVersion) -> dict[str, str]:
    """filter.yaml and prompt.md, which import as this very version and its newest policy. Raises BadInput."""
    return dump_package(package_of(values_of(version)))


def outcome(package: FilterPackage | None, filter_: Filter | None) -> Outcome:
    """Which of its four kinds of change a draft is, compared with what is stored now."""
    if package is None:
        return UNKNOWN
    if filter_ is None and Filter.objects.filter(slug=package.slug).exists():
        return Outcome("Save the filter", TAKEN.format(package.slug), refused=True)
    if filter_ is None:
        return Outcome("Save the filter", f"Saving makes the filter {package.slug}, version 1 of its rubric and policy 1.")
    latest = filter_.latest
    if latest is None:
        return Outcome("Save as version 1", "Saving makes version 1 of its rubric.")
    known = filter_.versions.filter(rubric_hash=package.rubric_hash).first()
    if known is None:
        return _another_version(package, latest)
    if known != latest:
        return _an_earlier_version(known, latest)
    return _same_version(package, latest)


def _another_version(package: FilterPackage, latest: FilterVersion) -> Outcome:
    labels = OracleLabel.objects.filter(version=latest).count()
    stay = f"The {labels:,} labels of version {latest.number} stay with it; the new version starts without any." if labels else ""
    changes = tuple(rubric_changes(latest, package))
    sentence = f"The rubric changed, so saving makes version {latest.number + 1}. {stay}".strip()
    return Outcome(f"Save as version {latest.number + 1}", sentence, changes)


def _an_earlier_version(known: FilterVersion, latest: FilterVersion) -> Outcome:
    sentence = (
        f"This is word for word the rubric of version {known.number}, which is kept as it was. A rubric is stored once, and "
        f"version {latest.number} is the newest: change a word to make another version of it."
    )
    return Outcome("Save", sentence, refused=True)


def _same_version(package: FilterPackage, latest: FilterVersion) -> Outcome:
    policy = latest_policy(latest)
    changes = tuple(policy_changes(policy, package))
    if changes:
        number = policy.number + 1 if policy else 1
        labels = OracleLabel.objects.filter(version=latest).count()
        stay = f" All {labels:,} labels stay good: none has to be paid again." if labels else ""
        sentence = f"The rubric is the same, so saving makes policy {number} of version {latest.number}.{stay}"
        return Outcome(f"Save as policy {number}", sentence, changes)
    if (package.name, package.question) != (latest.filter.name, latest.filter.question):
        return Outcome("Save the new words", "Only the name or the question changed; rubric and policy stay as they are.")
    return NOTHING


def rubric_changes(version: FilterVersion, package: FilterPackage) -> Iterator[str]:
    """Which parts of what an oracle is asked differ, in words."""
    rubric = package.rubric
    if rubric["prompt"] != version.prompt:
        yield "the prompt"
    if rubric["view"] != version.view:
        yield "the article view"
    before = {dimension["key"]: dimension for dimension in version.dimensions}
    after = {dimension["key"]: dimension for dimension in rubric["dimensions"]}
    yield from (f"{after[key]['name']} is new" for key in after if key not in before)
    yield from (f"{before[key]['name']} is gone" for key in before if key not in after)
    for key, dimension in after.items():
        parts = [words for part, words in ASKED.items() if key in before and dimension[part] != before[key][part]]
        if parts:
            yield f"{dimension['name']}: {', '.join(parts)}"
    kept = [key for key in before if key in after]
    if kept != [key for key in after if key in before]:
        yield "the order of the dimensions"


def policy_changes(policy: Policy | None, package: FilterPackage) -> Iterator[str]:
    for part, words in MADE_OF.items():
        if policy is None or getattr(policy, part) != package.policy[part]:
            yield words


def base_of(filter_: Filter | None) -> str:
    """Names what an edit began from, so that two people don't undo each other's work unawares."""
    version = filter_.latest if filter_ else None
    policy = latest_policy(version)
    return f"{version.pk if version else 0}.{policy.pk if policy else 0}"


def save(*, package: FilterPackage, filter_: Filter | None, actor: Any) -> FilterVersion:
    """The stored version. Raises BadInput where the name of a new filter is taken, or an edit would change nothing."""
    found = outcome(package, filter_)
    if found.refused:
        raise BadInput(found.sentence)
    if filter_ is None and package.slug in RESERVED:
        raise BadInput(f"{package.slug} is an address of this site; choose another short name.")
    with transaction.atomic():
        if filter_ is None:
            _claim(package.slug)
        version = services.import_package(package=package, actor=actor)
        if filter_ is None:
            hand_to_maker(actor, version.filter)
        return version


def _claim(slug: str) -> None:
    """A new filter must not become a version of one that somebody else made in the meantime."""
    try:
        with transaction.atomic():
            Filter.objects.create(slug=slug)
    except IntegrityError:
        raise BadInput(TAKEN.format(slug)) from None
