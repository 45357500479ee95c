"""Pages of data sets and training runs."""

from django.urls import path

from training import changing, enriching, views
from training.bases import views as base_views
from training.curves import views as curve_views

urlpatterns = [
    path("labels/<int:pk>/enrich", enriching.labeling_enrich, name="labeling_enrich"),
    path("data-sets/", views.datasets, name="datasets"),
    path("data-sets/new", views.dataset_new, name="dataset_new"),
    path("data-sets/<slug:name>/", views.dataset, name="dataset"),
    path("data-sets/<slug:name>/curve", curve_views.dataset_curve, name="dataset_curve"),
    path("filters/<slug:slug>/changes", changing.label_changes, name="label_changes"),
    path("labels/<int:pk>/data-sets", views.labeling_run_datasets, name="labeling_run_datasets"),
    path("bases/", base_views.bases, name="bases"),
    path("bases/<str:name>/fetch", base_views.base_fetch, name="base_fetch"),
    path("training/", views.training_runs, name="training_runs"),
    path("training/new", views.training_new, name="training_new"),
    path("training/new/options", views.training_options, name="training_options"),
    path("training/new/estimate", views.training_estimate_new, name="training_estimate_new"),
    path("training/<int:pk>/estimate", views.training_estimate, name="training_estimate"),
    path("training/<int:pk>/", views.training_run, name="training_run"),
    path("training/<int:pk>/live", views.training_run_live, name="training_run_live"),
    path("training/<int:pk>/cancel", views.training_run_cancel, name="training_run_cancel"),
    path("training/<int:pk>/resume", views.training_run_resume, name="training_run_resume"),
    path("training/curves/<int:pk>/", curve_views.learning_curve, name="learning_curve"),
    path("training/curves/<int:pk>/live", curve_views.learning_curve_live, name="learning_curve_live"),
    path("training/curves/<int:pk>/cancel", curve_views.learning_curve_cancel, name="learning_curve_cancel"),
    path("training/curves/<int:pk>/resume", curve_views.learning_curve_resume, name="learning_curve_resume"),
]
