# Each target makes the virtual environment it needs; PYTHON is 3.11 or newer.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
KERNEL_MODULES := fastload.kernels.decoder fastload.kernels.encoder fastload.kernels.row_hash
KERNEL_MODULES += fastload_mysql.rows_decode fastload_mysql.rows_encode
KERNEL_MODULES += fastload_postgres.copy_decode fastload_postgres.copy_encode
KERNEL_MODULES += fastload_postgres.copy_hash
KERNELS := $(shell find fastload adapters -name '*.pyx' -o -name '*.pxd')

.PHONY: help dev demo test test-versions faults check bench clean
help:
	@echo "make demo   copy TPC-H between two private PostgreSQL servers and compare both sides"
	@echo "make test   run the tests on real, private servers"
	@echo "make test-versions   the same for older and newer releases of MySQL and MariaDB"
	@echo "make faults   kills, cuts, cancels and fuzzes for about an hour, and prints a table"
	@echo "make check  ruff, mypy, stubtest, cython-lint"
	@echo "make bench  measure against psql, pgcopydb, pgloader, mydumper, DuckDB, ADBC and connectorx"
	@echo "make dev    everything for working on fastload, kernels compiled in place"

# Stamps are kept, though each is only a step towards the next.
.SECONDARY:

# A virtual environment per purpose would compile the kernels as often: one holds them all, and a
# stamp says which extras it has.
$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip "setuptools>=80.3,<85" "Cython>=3.1,<4"
	touch $@

$(VENV)/.extra-%: $(VENV)/.made pyproject.toml
	$(BIN)/python -m pip install --quiet --no-build-isolation --editable '.[$*]'
	touch $@

$(VENV)/.kernels-%: $(VENV)/.extra-% $(KERNELS)
	$(BIN)/python -c "from setuptools import setup; setup()" --quiet build_ext --inplace
	touch $@

dev: $(VENV)/.kernels-check

demo: $(VENV)/.kernels-demo
	$(BIN)/fastload demo

test: $(VENV)/.kernels-test
	$(BIN)/python -m fastload.testing.mysql_packages
	$(BIN)/python -m pytest -q

# Takes npm and Maven, which have the servers.
test-versions: $(VENV)/.kernels-test
	$(BIN)/python -m fastload.testing.mysql_packages
	$(BIN)/python -m fastload.testing.mysql_releases
	FASTLOAD_REQUIRE_SERVERS=1 $(BIN)/python -m pytest -q -m versions

# Parts of it: make faults FAULTS="--only kills --share 0.1"
faults: $(VENV)/.kernels-test
	$(BIN)/python -m fastload.testing.mysql_packages
	FASTLOAD_REQUIRE_SERVERS=1 $(BIN)/python -m tests.faults $(FAULTS)

check: $(VENV)/.kernels-check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	MYPYPATH=.:adapters $(BIN)/stubtest --mypy-config-file pyproject.toml \
	  --allowlist tests/typing/stubtest.txt $(KERNEL_MODULES)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/cython-lint fastload adapters

bench: $(VENV)/.kernels-bench
	mkdir -p benchmarks/results
	$(BIN)/python -m fastload.testing.mysql_packages
	$(BIN)/python -m pytest -q --benchmark-only --benchmark-json benchmarks/results/kernels.json \
	  benchmarks/kernels.py
	$(BIN)/python -m benchmarks.load

clean:
	rm -rf $(VENV) build *.egg-info
	find fastload adapters -name '*.so' -delete -o -name '*.c' -delete
