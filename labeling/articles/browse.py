"""The article list: what a person narrowed it to, and what stands beside each title."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from django.core.paginator import Page, Paginator
from django.db.models import Exists, F, OuterRef, QuerySet
from django.http import QueryDict

from labeling.models import Article, FilterVersion, OracleLabel, Policy, PrefilterVerdict

PAGE = 50
UNKNOWN = "unknown"  # a language that nobody could tell is stored as an empty one


@dataclass(frozen=True)
class Narrowing:
    """The list's search and facets, as its address carries them; empty means all."""

    q: str = ""
    verdict: str = ""
    labelled: str = ""
    language: str = ""
    source: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> Self:
        return cls(**{name: query.get(name, "").strip().replace("\x00", "")[:200] for name in cls.__dataclass_fields__})

    def __str__(self) -> str:
        """“search: water; labelled: no”"""
        names = {name: "search" if name == "q" else name for name in self.__dataclass_fields__}
        said = [f"{word}: {value}" for name, word in names.items() if (value := getattr(self, name))]
        return "; ".join(said) or "all articles"

    @property
    def any(self) -> bool:
        return any(getattr(self, name) for name in self.__dataclass_fields__)

    def searched(self) -> QuerySet[Article]:
        """What the search alone leaves, which the facets count."""
        if self.q:
            # "nulls last" keeps Postgres off the index by date, where it would parse one text after the other
            return Article.objects.search(self.q).order_by(F("published").desc(nulls_last=True), "-id")
        return Article.objects.order_by("-published", "-id")

    def apply(self, version: FilterVersion | None, policy: Policy | None) -> QuerySet[Article]:
        articles = self.searched()
        if self.language:
            articles = articles.filter(language="" if self.language == UNKNOWN else self.language)
        if self.source:
            articles = articles.filter(source=self.source)
        if self.verdict and policy:
            articles = articles.filter(Exists(_verdicts(policy, self.verdict)))
        if self.labelled and version:
            labels = OracleLabel.objects.filter(version=version, article=OuterRef("pk"))
            articles = articles.filter(Exists(labels) if self.labelled == "yes" else ~Exists(labels))
        return articles


def _verdicts(policy: Policy, verdict: str) -> QuerySet[PrefilterVerdict]:
    reason = "" if verdict == "passed" else verdict
    return PrefilterVerdict.objects.filter(policy=policy, article=OuterRef("pk"), passed=not reason, reason=reason)


@dataclass(frozen=True)
class Line:
    """One article of the list with its verdict under the policy and its first reading, where there are such.

    All readings of a list are of one oracle and prompt, or the bars would mislead; `other` names another's.
    """

    article: Article
    verdict: PrefilterVerdict | None
    label: OracleLabel | None
    other: str = ""


def page_of(articles: QuerySet[Article], number: str | None) -> Page:
    """The texts stay in the database; a list needs the titles."""
    return Paginator(articles.defer("text"), PAGE).get_page(number)


def lines(articles: Iterable[Article], version: FilterVersion | None, policy: Policy | None) -> list[Line]:
    shown = list(articles)
    verdicts = {row.article_id: row for row in PrefilterVerdict.objects.filter(policy=policy, article__in=shown)}
    found = OracleLabel.objects.filter(version=version, article__in=shown).first_readings().select_related("oracle")
    rows = list(found.defer("raw_answer", "reasoning").order_by("pk"))
    lead = _most_common(rows)
    labels = {row.article_id: row for row in rows if _asked(row) == lead}
    others = {row.article_id: _difference(row, lead) for row in rows if _asked(row) != lead}
    return [Line(one, verdicts.get(one.pk), labels.get(one.pk), others.get(one.pk, "")) for one in shown]


def _asked(label: OracleLabel) -> tuple[int, str]:
    return label.oracle_id, label.prompt_hash


def _most_common(rows: list[OracleLabel]) -> tuple[int, str]:
    """The oracle and prompt that most of the articles shown were read by."""
    counted = Counter(map(_asked, rows)).most_common(1)
    return counted[0][0] if counted else (0, "")


def _difference(label: OracleLabel, lead: tuple[int, str]) -> str:
    return "with another prompt" if label.oracle_id == lead[0] else f"by {label.oracle}"
