# Set-up happens once, when a lock file is newer than what is installed.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.DEFAULT_GOAL := help
# `make verify FOLDER=ci` checks the small subset, `make repro FOLDER=recipes/pets` runs a recipe, and
# `make repro FOLDER=projects/mine` a project of yours.
FOLDER ?= .
# `make repro GPU=1` also installs the libraries with which TensorFlow uses an NVIDIA GPU.
GPU ?= 0
ON_GPU = $(if $(filter-out 0,$(GPU)),.venv/gpu.stamp)
# `make repro RAY=1` also installs Ray, with which MASKLINE_ENGINE=ray divides the work over a cluster.
RAY ?= 0
ON_RAY = $(if $(filter-out 0,$(RAY)),.venv/ray.stamp)
PIP = .venv/bin/python -m pip --quiet --quiet --disable-pip-version-check install

.PHONY: help repro ci watch experiments pull verify check test test-all lint format docs lock bench clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

repro: .venv/bin/maskline $(ON_GPU) $(ON_RAY)  ## set up, then run the pipeline on the built-in data set
	@$(if $(filter projects/% recipes/%,$(FOLDER)),maskline plan --update $(FOLDER))
	dvc repro $(if $(filter-out .,$(FOLDER)),$(FOLDER)/dvc.yaml)
	@$(call result,$(FOLDER),make repro$(if $(filter-out .,$(FOLDER)), FOLDER=$(FOLDER)))

ci: .venv/bin/maskline $(ON_GPU) $(ON_RAY)  ## set up, then run the pipeline on the small subset in ci/
	dvc repro ci/dvc.yaml
	@$(call result,ci,make ci)

watch: .venv/watch.stamp  ## open TensorBoard on the trainings of a folder, also while they run
	@mkdir -p $(FOLDER)/.logs
	tensorboard --logdir $(FOLDER)/.logs --samples_per_plugin images=1000 --reload_interval 10

experiments: .venv/bin/maskline  ## list DVC's experiments: mean IoU and the params that differ
	@maskline experiments --folder $(FOLDER)

# The pipeline of this folder must be complete. Others may never have been run by whoever pushed.
pull: .venv/bin/maskline  ## fetch results from the remote, and name those it does not have
	dvc pull dvc.yaml
	@dvc pull --quiet --allow-missing
	@dvc data status --json | python -c 'import json, sys; \
		[print(path, "is not on the remote; dvc repro", path.partition("data/")[0] + "dvc.yaml makes it.") \
		for path in sorted(json.load(sys.stdin).get("not_in_cache", []))]'

verify: .venv/bin/maskline  ## reproduce the committed result in a fresh clone, and say what is equal
	maskline verify --folder $(FOLDER)

check: lint  ## check style and types and run the fast tests: less than a minute
	python -m pytest --numprocesses auto --fast

test: .venv/test.stamp  ## run all tests that are not slow: less than 10 minutes on two cores
	python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder -m "not slow"

test-all: .venv/test.stamp  ## run every test, fail if one is skipped that any machine can run, and list the longest
	python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder --promised --durations 40

lint: .venv/test.stamp  ## check style and types
	ruff check .
	ruff format --check .
	mypy

format: .venv/test.stamp  ## put the code into the project's style
	ruff check --fix .
	ruff format .

docs: .venv/docs.stamp  ## build the pages of docs/ into site/, and check their links
	python docs/generate_params.py
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict
	@echo "Open $(CURDIR)/site/index.html in a browser. With a search field: .venv/bin/mkdocs serve"

COMPILE = uv pip compile --quiet --universal --generate-hashes --python-version 3.11
lock: .venv/test.stamp  ## renew the lock files from pyproject.toml
	$(COMPILE) --output-file requirements.txt pyproject.toml
	for extra in docs export gpu ray test watch; do \
		$(COMPILE) --extra $$extra --constraint requirements.txt --output-file requirements-$$extra.txt pyproject.toml || exit; \
	done

bench: .venv/bin/maskline  ## compare speed with other tools, on the built-in data set: a few minutes
	python benchmarks/shuffle.py
	python benchmarks/input.py --rounds 2 --seconds 1
	python benchmarks/preprocess.py --rounds 1
	python benchmarks/training.py --rounds 1 --epochs 2 --only "the tutorial" "maskline, same recipe"
	python benchmarks/startup.py --rounds 2
	python benchmarks/scaling.py --short
	python benchmarks/growth.py --largest 10000

clean:  ## remove the environment, the pipeline's outputs and DVC's cache
	rm -rf .venv site .dvc/cache .dvc/tmp .logs */.logs projects/*/.logs recipes/*/.logs .checkpoints .checksums \
		ci/.check* ci/data projects/*/.check* projects/*/data recipes/*/.check* recipes/*/data
	find data -mindepth 1 -not -name README.md -delete

# The last lines of a run in a folder: its mean IoU, its report, and what to do next.
define result
printf '\nmean IoU  %s on the test images\nreport    %s\nnext      %s\n' \
	"$$(sed -n 's/^ *"mean_iou": \([0-9][0-9.]*\).*/\1/p' $(1)/metrics/evaluation.json)" \
	"$(abspath $(1)/metrics/report.html)" \
	"change $(1)/params.yaml and run \`$(2)\` again, or train on your own images: see README.md"
endef

.venv/repro.stamp: requirements.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v < (3, 14) or sys.exit("Python 3.11 to 3.13 is needed. Received: %d.%d; name another with `make PYTHON=python3.12 ...`" % v)'
	@echo "Setting up .venv from requirements.txt, once: 1 to 3 minutes without output, and 3 GB of disk."
	$(PYTHON) -m venv .venv
	$(PIP) --require-hashes -r requirements.txt
	touch $@

# The command `maskline`, of the code in this folder; setuptools is here with TensorFlow, so nothing is fetched.
.venv/bin/maskline: .venv/repro.stamp pyproject.toml
	$(PIP) --no-index --no-deps --no-build-isolation --editable .
	touch $@

.venv/gpu.stamp: requirements-gpu.txt .venv/repro.stamp | .venv/bin/maskline
	@echo "Adding CUDA's libraries for TensorFlow, once: some minutes and 5 GB of disk."
	$(PIP) --require-hashes -r requirements-gpu.txt
	touch $@

.venv/ray.stamp: requirements-ray.txt .venv/repro.stamp | .venv/bin/maskline
	@echo "Adding Ray, once: less than a minute and 200 MB of disk."
	$(PIP) --require-hashes -r requirements-ray.txt
	touch $@

.venv/watch.stamp: requirements-watch.txt .venv/repro.stamp | .venv/bin/maskline
	@echo "Adding TensorBoard, once: less than a minute and 20 MB of disk."
	$(PIP) --require-hashes -r requirements-watch.txt
	touch $@

.venv/docs.stamp: requirements-docs.txt .venv/repro.stamp | .venv/bin/maskline
	@echo "Adding MkDocs, once: less than a minute and 50 MB of disk."
	$(PIP) --require-hashes -r requirements-docs.txt
	touch $@

.venv/test.stamp: requirements-test.txt .venv/repro.stamp | .venv/bin/maskline
	@echo "Adding what the tests need, once: less than a minute."
	$(PIP) --require-hashes -r requirements-test.txt
	touch $@
