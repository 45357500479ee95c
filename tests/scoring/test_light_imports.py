"""Web and Celery workers stay small: nothing they import brings a student's libraries with it."""

import json
import os
import subprocess
import sys

import pytest

HEAVY = ("torch", "sklearn", "transformers", "scipy", "peft", "accelerate", "tokenizers", "matplotlib", "starlette", "uvicorn")
LOOK = """
import json, psutil, sys
print(json.dumps([[name for name in {heavy!r} if name in sys.modules], psutil.Process().memory_info().rss / 1e6]))
"""
WEB = """
from distillery_site.wsgi import application
from django.urls import get_resolver
def walk(patterns):
    for each in patterns:
        walk(each.url_patterns) if hasattr(each, "url_patterns") else each.callback
walk(get_resolver().url_patterns)
"""
WORKER = """
import django
from distillery_site.celery import app
django.setup()
app.loader.import_default_modules()
ours = {"labeling.label", "training.train", "scoring.benchmark", "distillery_site.redispatch"}
assert ours <= set(app.tasks), sorted(app.tasks)
"""


@pytest.mark.parametrize("process", [WEB, WORKER], ids=["web", "worker"])
def test_it_imports_no_students_library_and_stays_small(process):
    code = process + LOOK.format(heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, timeout=120)
    assert done.returncode == 0, done.stderr
    heavy, rss_mb = json.loads(done.stdout.splitlines()[-1])
    assert heavy == []
    assert rss_mb < 200
