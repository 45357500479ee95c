"""The tables of labelling, by subject."""

from labeling.models.articles import Article, PrefilterVerdict
from labeling.models.filters import DEFAULT_VIEW, Filter, FilterVersion, Policy, default_view
from labeling.models.labels import OracleLabel, OracleLabelQuerySet
from labeling.models.reviews import Decision, FilterAccess, Review, ReviewRules, ReviewTask, ReviewTurn
from labeling.models.runs import LabelingBatch, LabelingItem, LabelingRun, LabelingShard, Oracle, OracleCall, Purse

__all__ = [
    "Article",
    "DEFAULT_VIEW",
    "default_view",
    "Decision",
    "Filter",
    "FilterAccess",
    "FilterVersion",
    "LabelingBatch",
    "LabelingItem",
    "LabelingRun",
    "LabelingShard",
    "Oracle",
    "OracleCall",
    "OracleLabel",
    "OracleLabelQuerySet",
    "Policy",
    "PrefilterVerdict",
    "Purse",
    "Review",
    "ReviewRules",
    "ReviewTask",
    "ReviewTurn",
]
