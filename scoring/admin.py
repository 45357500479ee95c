"""Raw rows of benchmarks and predictions; figures hang on them, so nothing here can be changed."""

from django.contrib import admin

from distillery_site.common.admin import RunAdmin, read_only
from scoring.models import Benchmark, Prediction

admin.site.register(Benchmark, RunAdmin)
read_only(Prediction, "id", "benchmark_id", "article_id", "raw")
