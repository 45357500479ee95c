"""Articles, and which of them may go on to an oracle."""

from datetime import date
from typing import Self

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import Q
from django.utils import timezone

from distillery_site.common.text import render_view, text_hash
from labeling.models.filters import FilterVersion, Policy


class ArticleQuerySet(models.QuerySet):
    def passed(self, policy: Policy) -> Self:
        return self.filter(verdicts__policy=policy, verdicts__passed=True)

    def labelled(self, version: FilterVersion) -> Self:
        return self.filter(labels__version=version).distinct()

    def search(self, query: str) -> Self:
        return self.alias(found=SearchVector("title", "text", config="english")).filter(found=query)


class Article(models.Model):
    source = models.CharField(max_length=80)
    external_id = models.CharField(max_length=200)
    title = models.TextField(blank=True)
    text = models.TextField()
    url = models.TextField(blank=True)
    published = models.DateField(null=True, blank=True)
    language = models.CharField(max_length=8, blank=True)
    words = models.PositiveIntegerField(default=0)
    text_sha256 = models.CharField(max_length=64)
    imported_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ArticleQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(name="article_source_id", fields=["source", "external_id"])]
        indexes = [
            models.Index(name="article_by_text", fields=["text_sha256"]),  # the same text again
            models.Index(name="article_by_date", fields=["-published", "-id"]),  # the article list's order
            GinIndex(SearchVector("title", "text", config="english"), name="article_search"),  # ArticleQuerySet.search
        ]

    def __str__(self) -> str:
        return self.title or f"{self.source}:{self.external_id}"

    @staticmethod
    def hash_of(title: str, published: date | None, text: str) -> str:
        """Hex SHA-256 of all that a reader may be shown, normalised: when it changes, labels are of an earlier text."""
        return text_hash(f"{title}\n{published or ''}\n{text}")

    def rendered(self, view: dict) -> str:
        """The text that oracle and student read under this view."""
        published = self.published.isoformat() if self.published else ""
        fields = {"title": self.title, "published": published, "text": self.text, "source": self.source, "url": self.url}
        return render_view(fields, view["fields"], view["max_words"])


class PrefilterVerdict(models.Model):
    """Why an article may or may not go on to the oracle under one policy."""

    policy = models.ForeignKey(Policy, models.CASCADE, related_name="verdicts")
    article = models.ForeignKey(Article, models.CASCADE, related_name="verdicts")
    passed = models.BooleanField()
    reason = models.CharField(max_length=60, blank=True)
    detail = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="verdict_once", fields=["policy", "article"]),
            models.CheckConstraint(name="verdict_drop_has_reason", condition=Q(passed=True) | ~Q(reason="")),
        ]
        indexes = [models.Index(name="verdict_by_reason", fields=["policy", "passed", "reason"])]  # counts of drops by reason

    def __str__(self) -> str:
        return "passed" if self.passed else f"{self.reason}: {self.detail}"
