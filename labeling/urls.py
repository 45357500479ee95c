"""Pages of articles, filters, labels and reviews; who may open them is in distillery_site/permissions.py."""

from django.urls import path

from labeling.views import agreement, articles, calls, editor, filters, oracles, plans, reviews, runs

urlpatterns = [
    path("filters/", filters.filters, name="filters"),
    path("filters/new", editor.filter_new, name="filter_new"),
    path("filters/<slug:slug>/", filters.filter_, name="filter"),
    path("filters/<slug:slug>/edit", editor.filter_edit, name="filter_edit"),
    path("filters/<slug:slug>/package.zip", editor.filter_package, name="filter_package"),
    path("filters/<slug:slug>/cap", editor.filter_cap, name="filter_cap"),
    path("filters/<slug:slug>/agreement", agreement.agreement, name="agreement"),
    path("filters/<slug:slug>/agreement/review", agreement.agreement_review, name="agreement_review"),
    path("filters/<slug:slug>/prefilter", filters.filter_prefilter, name="filter_prefilter"),
    path("articles/", articles.articles, name="articles"),
    path("articles/import", articles.article_import, name="article_import"),
    path("articles/<int:pk>/", articles.article, name="article"),
    path("articles/<int:pk>/send", articles.article_send, name="article_send"),
    path("labels/", runs.labeling_runs, name="labeling_runs"),
    path("labels/new", plans.labeling_new, name="labeling_new"),
    path("labels/<int:pk>/", runs.labeling_run, name="labeling_run"),
    path("labels/<int:pk>/live", runs.labeling_run_live, name="labeling_run_live"),
    path("labels/<int:pk>/scores", runs.labeling_run_scores, name="labeling_run_scores"),
    path("labels/<int:pk>/pause", runs.labeling_run_pause, name="labeling_run_pause"),
    path("labels/<int:pk>/cancel", runs.labeling_run_cancel, name="labeling_run_cancel"),
    path("labels/<int:pk>/resume", runs.labeling_run_resume, name="labeling_run_resume"),
    path("labels/<int:pk>/retry", runs.labeling_run_retry, name="labeling_run_retry"),
    path("labels/<int:pk>/problems/<path:error_class>/", calls.labeling_run_problems, name="labeling_run_problems"),
    path("labels/<int:pk>/flags/<path:kind>/", calls.labeling_run_flags, name="labeling_run_flags"),
    path("labels/<int:pk>/calls/", calls.labeling_run_calls, name="labeling_run_calls"),
    path("labels/<int:pk>/calls/<slug:key>/", calls.labeling_call, name="labeling_call"),
    path("oracles/", oracles.oracles, name="oracles"),
    path("oracles/<slug:provider>/test", oracles.oracle_probe, name="oracle_probe"),
    path("review/", reviews.reviews, name="reviews"),
    path("review/<int:pk>/", reviews.review, name="review"),
]
