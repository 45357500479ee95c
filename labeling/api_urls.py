"""The API's routes of queues and reviews, mounted at /api/."""

from django.urls import path

from labeling.api import FinishView, NextView, QueuesView, ReviewView, SkipView, TasksView

urlpatterns = [
    path("v1/queues", QueuesView.as_view(), name="api_queues"),
    path("v1/queues/<slug:slug>/tasks", TasksView.as_view(), name="api_queue_tasks"),
    path("v1/queues/<slug:slug>/next", NextView.as_view(), name="api_queue_next"),
    path("v1/tasks/<int:pk>/review", ReviewView.as_view(), name="api_task_review"),
    path("v1/tasks/<int:pk>/finish", FinishView.as_view(), name="api_task_finish"),
    path("v1/tasks/<int:pk>/skip", SkipView.as_view(), name="api_task_skip"),
]
