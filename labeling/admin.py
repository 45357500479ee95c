"""Raw rows of articles, rubrics and labels."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from distillery_site.common.admin import ReadOnlyAdmin, RunAdmin, read_only
from labeling.models import (
    Article,
    Filter,
    FilterVersion,
    LabelingItem,
    LabelingRun,
    Oracle,
    OracleLabel,
    Policy,
    PrefilterVerdict,
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


admin.site.register(LabelingRun, RunAdmin)
read_only(FilterVersion, columns=("__str__", "rubric_hash", "created_at"), list_filter=("filter",))
read_only(Policy, columns=("__str__", "created_at"), list_filter=("version__filter",), list_select_related=("version__filter",))
read_only(Article, columns=("title", "source", "external_id", "published", "language", "words"), search_fields=("title", "external_id"), list_filter=("source", "language"))
read_only(PrefilterVerdict, columns=("id", "policy_id", "article_id", "passed", "reason", "detail"), list_filter=("passed", "reason"))
read_only(Oracle, columns=("name", "provider", "model", "identity"))
read_only(LabelingItem, columns=("id", "run_id", "article_id", "state", "error_class"), list_filter=("state", "error_class"))
read_only(OracleLabel, columns=("id", "version", "article_id", "oracle", "reading", "cost_usd", "created_at"), list_filter=("version", "oracle", "reading"),
          list_select_related=("version__filter", "oracle"))
read_only(ReviewTask, columns=("id", "version", "article_id", "reason", "priority", "done_at"), list_filter=("reason",), list_select_related=("version__filter",))
read_only(Review, columns=("id", "task_id", "reviewer", "created_at"), list_select_related=("reviewer",))
