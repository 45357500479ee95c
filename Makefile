# Every target sets up what it needs; a second time it takes no time.
.DEFAULT_GOAL := help
.PHONY: help demo up test bench-label bench-train bench-review verify-gpu lint setup clean
PYTHON_IN_VENV := .venv/bin/python
EXTRAS := local label students
TEST_JOBS := 0
PINS := pyproject.toml constraints.txt

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: .venv/.ready ## distil real students from real news and serve the dashboard; DEMO_ARGS="--fast" for a short one
	@$(PYTHON_IN_VENV) manage.py demo $(DEMO_ARGS)

up: .venv/.ready ## run the site on this machine; UP_ARGS="--port 8080"
	@$(PYTHON_IN_VENV) manage.py up $(UP_ARGS)

test: .venv/.tests ## run every test; TEST_JOBS=2 for two files at a time; TEST_ARGS="tests/labeling -k budget" for some
	@DISTILLERY_BROWSER="$$(scripts/browser.sh)" && export DISTILLERY_BROWSER && $(PYTHON_IN_VENV) -m pytest -n $(TEST_JOBS) --dist loadgroup --no-loadscope-reorder $(TEST_ARGS)

bench-label: .venv/.ready ## measure labelling against a fake vendor; BENCH_ARGS="rate --articles 500" for a part
	@$(PYTHON_IN_VENV) -m scripts.bench_label $(BENCH_ARGS)

bench-train: .venv/.ready ## measure training: speed, errors, coverage; BENCH_ARGS="speed --rounds 5" for a part
	@$(PYTHON_IN_VENV) -m scripts.bench_train $(BENCH_ARGS)

bench-review: .venv/.tests ## measure reviewing: keyboard, crashes, accessibility, intervals; BENCH_ARGS="pages" for a part
	@DISTILLERY_BROWSER="$$(scripts/browser.sh)" && export DISTILLERY_BROWSER && $(PYTHON_IN_VENV) -m scripts.bench_review $(BENCH_ARGS)

verify-gpu: .venv/.ready ## on a machine with a GPU: memory, speed and parity of training and scoring there; BENCH_ARGS="…"
	@$(PYTHON_IN_VENV) -m scripts.verify_gpu $(BENCH_ARGS)

lint: .venv/.tests ## ruff, djlint, mypy and the import contracts
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/djlint --quiet --lint templates
	@.venv/bin/mypy
	@.venv/bin/lint-imports

setup: .venv/.ready ## make .venv; PYTHON=… and TORCH_INDEX=… choose the interpreter and the build of torch

clean: ## stop what runs here and remove .venv and caches; var/ with your data stays
	@if [ -x $(PYTHON_IN_VENV) ]; then $(PYTHON_IN_VENV) manage.py down; fi
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.ready: $(PINS) scripts/setup.sh
	@scripts/setup.sh $(EXTRAS)
	@touch $@

.venv/.tests: .venv/.ready
	@scripts/setup.sh $(EXTRAS) test
	@touch $@
