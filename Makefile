# The two commands:  make repro (the whole roadmap)   make test (lint, types, tests)
SHELL := /bin/sh
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DO_NOT_TRACK = 1
export DVC_NO_ANALYTICS = 1
export MLFLOW_DISABLE_TELEMETRY = true
export PREFECT_SERVER_ANALYTICS_ENABLED = false
export PYTHON

.PHONY: repro test ui doctor publish clean install
repro: install
	@python -m snn5.repro
test: install
	ruff check .
	ruff format --check .
	mypy
	python -m pytest
ui: install
	snn5 ui
doctor: install
	snn5 doctor
publish: install   ## copy the report's figures to where git keeps them
	python -m snn5.report.publish
install:
	@tools/setup.sh
clean:
	rm -rf .venv .cache .mlflow .prefect data reports   # DVC's cache stays
