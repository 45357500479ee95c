"""Raw rows of articles, rubrics and labels."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from distillery_site.common.admin import ReadOnlyAdmin, RunAdmin, read_only
from labeling.models import (
    Article,
    Filter,
    FilterVersion,
    LabelingBatch,
    LabelingItem,
    LabelingRun,
    LabelingShard,
    Oracle,
    OracleCall,
    OracleLabel,
    Policy,
    PrefilterVerdict,
    Purse,
    Review,
    ReviewTask,
)


@admin.register(Filter)
class FilterAdmin(ReadOnlyAdmin):
    """Its name and question are only words; its rubric changes by importing a package."""

    list_display = ("slug", "name", "question")
    fields = ("slug", "name", "question", "created_at")
    readonly_fields = ("slug", "created_at")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("labeling.change_filter")


admin.site.register([LabelingRun, LabelingShard], RunAdmin)
read_only(FilterVersion, "__str__", "rubric_hash", "created_at", filters=["filter"], related=["filter"])
read_only(Policy, "__str__", "created_at", filters=["version__filter"], related=["version__filter"])
read_only(
    Article,
    "title",
    "source",
    "external_id",
    "published",
    "language",
    "words",
    filters=["source", "language"],
    search=["title", "external_id"],
)
read_only(PrefilterVerdict, "id", "policy_id", "article_id", "passed", "reason", "detail", filters=["passed", "reason"])
read_only(Oracle, "name", "provider", "model", "identity")
read_only(LabelingItem, "id", "run_id", "article_id", "state", "error_class", filters=["state", "error_class"])
read_only(
    LabelingBatch, "id", "run_id", "provider_id", "marker", "state", "requests", "answered", "submitted_at", filters=["state"]
)
read_only(
    OracleCall,
    "key",
    "run_id",
    "item_id",
    "state",
    "error_class",
    "reserved_usd",
    "cost_usd",
    "sent_at",
    filters=["state", "error_class"],
    search=["key", "request_id"],
)
read_only(Purse, "name", "cost_usd", "reserved_usd", "lost_usd")
read_only(
    OracleLabel,
    "id",
    "version",
    "article_id",
    "oracle",
    "reading",
    "cost_usd",
    "created_at",
    filters=["version", "oracle", "reading"],
    related=["version__filter", "oracle"],
)
read_only(
    ReviewTask,
    "id",
    "version",
    "article_id",
    "reason",
    "priority",
    "done_at",
    filters=["reason"],
    related=["version__filter"],
)
read_only(Review, "id", "task_id", "reviewer", "created_at", related=["reviewer"])
