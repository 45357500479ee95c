"""Which filters a thing belongs to, told by its address; permissions.py asks whether they are the person's."""

import re
from collections.abc import Mapping
from typing import Any

from django.db.models import Model

from labeling.models import Filter, LabelingRun, ReviewTask
from scoring.models import Benchmark
from training.models import Dataset, LearningCurve, ModelVersion, TrainingRun

# What lies under one of these addresses is a filter's: the table that the address names a row of, and the ways from there.
OWNED: dict[str, tuple[type[Model], tuple[str, ...]]] = {
    "filters/<slug:slug>/": (Filter, ("pk",)),
    "labels/<int:pk>/": (LabelingRun, ("version__filter", "also__filter")),
    "review/<int:pk>/": (ReviewTask, ("version__filter",)),
    "data-sets/<slug:name>/": (Dataset, ("filters__version__filter",)),
    "training/<int:pk>/": (TrainingRun, ("dataset__filters__version__filter",)),
    "training/curves/<int:pk>/": (LearningCurve, ("dataset__filters__version__filter",)),
    "models/<slug:name>/v<int:number>/": (ModelVersion, ("outputs__version__filter",)),
    "benchmarks/<int:pk>/": (Benchmark, ("model__outputs__version__filter",)),
    "api/v1/filters/<slug:slug>/": (Filter, ("pk",)),
    "api/v1/queues/<slug:slug>/": (Filter, ("pk",)),
    "api/v1/tasks/<int:pk>/": (ReviewTask, ("version__filter",)),
}
# What an address may name that is no filter's: everybody's articles, providers and bases; accounts and what is theirs.
FREE = (
    "articles/<int:pk>/",
    "oracles/<slug:provider>/",
    "bases/<str:name>/",
    "scoring/keys/<int:pk>/",
    "people/<int:pk>/",
    "people/invitations/<int:pk>/",
    "account/keys/<int:pk>/",
    "join/<str:secret>/",
    "password/<uidb64>/<token>/",
    "audit/export.<str:form>",
    "admin/",
)


def filters_at(route: str, kwargs: Mapping[str, Any]) -> set[int]:
    """Primary keys of the filters that the thing at an address belongs to; none where it is nobody's or isn't there.

    route: as in the URL configuration, such as `labels/<int:pk>/pause`.
    """
    place = next((prefix for prefix in OWNED if route.startswith(prefix)), "")
    if not place:
        return set()
    model, paths = OWNED[place]
    row = model._default_manager.filter(**{name: kwargs[name] for name in re.findall(r":(\w+)>", place)})
    return {pk for path in paths for pk in row.values_list(path, flat=True) if pk is not None}
