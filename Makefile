# Set-up happens once, when a lock file is newer than what is installed.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.DEFAULT_GOAL := help
# `make verify FOLDER=ci` checks the small subset.
FOLDER ?= .

.PHONY: help repro verify ci test bench lint lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

repro: .venv/bin/maskline  ## set up, then run the pipeline on the embedded data set
	dvc repro

verify: .venv/bin/maskline  ## reproduce the committed result in a fresh clone, and say what is equal
	maskline verify --folder $(FOLDER)

ci: .venv/bin/maskline  ## set up, then run the pipeline on the small subset in ci/
	dvc repro ci/dvc.yaml

test: .venv/test.stamp  ## set up, then run the test suite
	python -m pytest --numprocesses auto --dist worksteal

bench: .venv/bin/maskline  ## measure speed beside others, on the embedded data set: a few minutes
	python benchmarks/shuffle.py
	python benchmarks/input.py --rounds 2 --seconds 1
	python benchmarks/preprocess.py --rounds 1
	python benchmarks/training.py --rounds 1 --epochs 2 --only "the tutorial" "maskline, same recipe"
	python benchmarks/startup.py --rounds 2
	python benchmarks/scaling.py --short

lint: .venv/test.stamp  ## set up, then check style
	ruff check .
	ruff format --check .

lock: .venv/test.stamp  ## renew both lock files from pyproject.toml
	uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --output-file requirements.txt pyproject.toml
	uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --extra test --constraint requirements.txt \
		--output-file requirements-test.txt pyproject.toml

clean:  ## remove the environment, the pipeline's outputs and DVC's cache
	rm -rf .venv .checkpoints ci/.checkpoints .dvc/cache .dvc/tmp ci/data
	find data -mindepth 1 -not -name README.md -delete

.venv/repro.stamp: requirements.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v < (3, 14) or sys.exit("Python 3.11 to 3.13 is needed. Received: %d.%d; name another with `make PYTHON=python3.12 ...`" % v)'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	touch $@

# The command `maskline`, of the code in this folder; setuptools is here with TensorFlow, so nothing is fetched.
.venv/bin/maskline: .venv/repro.stamp pyproject.toml
	.venv/bin/python -m pip install --quiet --disable-pip-version-check \
		--no-index --no-deps --no-build-isolation --editable .
	touch $@

.venv/test.stamp: requirements-test.txt .venv/repro.stamp | .venv/bin/maskline
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-test.txt
	touch $@
