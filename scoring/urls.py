"""Pages of students: the table of versions, one version, benchmarks, scoring and keys."""

from django.urls import path

from scoring.views import articles, benchmarks, comparing, keys, models, promoting, queues, scores, teaching

urlpatterns = [
    path("models/", models.models, name="models"),
    path("models/<slug:name>/v<int:number>/", models.model, name="model"),
    path("models/compare", comparing.models_compare, name="models_compare"),
    path("models/<slug:name>/v<int:number>/promote", promoting.model_promote, name="model_promote"),
    path("filters/<slug:slug>/promotions", promoting.filter_promotions, name="filter_promotions"),
    path("filters/<slug:slug>/rollback", promoting.filter_rollback, name="filter_rollback"),
    path("filters/<slug:slug>/next", teaching.next_to_label, name="next_to_label"),
    path("filters/<slug:slug>/next/review", teaching.next_to_label_review, name="next_to_label_review"),
    path("filters/<slug:slug>/next/run", teaching.next_to_label_run, name="next_to_label_run"),
    path("models/<slug:name>/v<int:number>/benchmark", benchmarks.benchmark_new, name="benchmark_new"),
    path("models/compare/review", comparing.compare_review, name="compare_review"),
    path("filters/<slug:slug>/queue", queues.queue_fill, name="queue_fill"),
    path("benchmarks/<int:pk>/", benchmarks.benchmark, name="benchmark"),
    path("benchmarks/<int:pk>/live", benchmarks.benchmark_live, name="benchmark_live"),
    path("benchmarks/<int:pk>/cancel", benchmarks.benchmark_cancel, name="benchmark_cancel"),
    path("benchmarks/<int:pk>/resume", benchmarks.benchmark_resume, name="benchmark_resume"),
    path("benchmarks/<int:pk>/review", benchmarks.benchmark_review, name="benchmark_review"),
    path("data-sets/<slug:name>/benchmarks", benchmarks.dataset_benchmarks, name="dataset_benchmarks"),
    path("articles/<int:pk>/students", articles.article_students, name="article_students"),
    path("scoring/", scores.scoring, name="scoring"),
    path("scoring/try", scores.score_try, name="score_try"),
    path("scoring/keys/new", keys.key_new, name="key_new"),
    path("scoring/keys/<int:pk>/revoke", keys.key_revoke, name="key_revoke"),
]
