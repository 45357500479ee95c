"""The Celery app, its queues and its clock. Entry points import this module; package __init__ files stay empty."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "distillery_site.settings")

app = Celery("distillery")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["distillery_site", "labeling", "training", "scoring"])

QUEUES = ("default", "label", "gpu", "score")

# A lane each: labelling waits on the network, training holds the accelerator, benchmarks never stand behind it.
app.conf.task_routes = {"labeling.*": {"queue": "label"}, "training.*": {"queue": "gpu"}, "scoring.*": {"queue": "score"}}
app.conf.beat_schedule = {"redispatch": {"task": "distillery_site.redispatch", "schedule": 5.0, "options": {"expires": 5}}}
