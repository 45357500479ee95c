"""Pages of data sets and training runs."""

from django.urls import path

from training import enriching, views

urlpatterns = [
    path("labels/<int:pk>/enrich", enriching.labeling_enrich, name="labeling_enrich"),
    path("data-sets/", views.datasets, name="datasets"),
    path("data-sets/new", views.dataset_new, name="dataset_new"),
    path("data-sets/<slug:name>/", views.dataset, name="dataset"),
    path("labels/<int:pk>/data-sets", views.labeling_run_datasets, name="labeling_run_datasets"),
    path("training/", views.training_runs, name="training_runs"),
    path("training/new", views.training_new, name="training_new"),
    path("training/<int:pk>/", views.training_run, name="training_run"),
    path("training/<int:pk>/live", views.training_run_live, name="training_run_live"),
    path("training/<int:pk>/cancel", views.training_run_cancel, name="training_run_cancel"),
    path("training/<int:pk>/resume", views.training_run_resume, name="training_run_resume"),
]
