"""The API's routes, mounted at /api/."""

from django.urls import path
from drf_spectacular.views import SpectacularJSONAPIView

from distillery_site.common.rest import MayAsk
from scoring.api import FiltersView, ModelsView, ScoreView
from scoring.api_promote import PromoteView, RollbackView
from scoring.views.reference import api_docs

urlpatterns = [
    path("v1/score", ScoreView.as_view(), name="api_score"),
    path("v1/filters", FiltersView.as_view(), name="api_filters"),
    path("v1/models", ModelsView.as_view(), name="api_models"),
    path("v1/filters/<slug:slug>/promote", PromoteView.as_view(), name="api_promote"),
    path("v1/filters/<slug:slug>/rollback", RollbackView.as_view(), name="api_rollback"),
    path("schema", SpectacularJSONAPIView.as_view(permission_classes=[MayAsk]), name="api_schema"),
    path("docs", api_docs, name="api_docs"),
]
