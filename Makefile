# The verbs a newcomer needs. Every target works from a fresh clone: it makes .venv and installs what it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
EXTRAS ?= cpu,onnx,openvino,dev

PADDLE26_TESTS ?= tests

.PHONY: help install demo test test-long test-paddle26 test-sanitize fuzz lint format bench clean

help:
	@echo "make demo       install, detect with the detector in the box, fine-tune it, compare (about 6 minutes on 2 cores)"
	@echo "make test       install and run the tests"
	@echo "make test-long  the tests that need minutes each (kill and resume, ...)"
	@echo "make test-paddle26  the tests with Paddle 2.6.2, in .venv-paddle26; PADDLE26_TESTS names some of them"
	@echo "make test-sanitize  the post-processing under AddressSanitizer and UndefinedBehaviorSanitizer"
	@echo "make fuzz       the post-processing under libFuzzer for ten minutes (apt-get install clang libclang-rt-14-dev)"
	@echo "make lint       ruff and mypy"
	@echo "make bench      the benchmarks; docs/benchmarks.md holds the latest table"

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml setup.py requirements.txt $(wildcard ppocr_pse/postprocess/csrc/*)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[$(EXTRAS)]'
	sh tools/system_packages.sh $(BIN)/python
	touch $@

demo: install
	PATH="$(abspath $(BIN)):$$PATH" sh tools/demo.sh

test: install
	$(BIN)/python -m pytest

test-long: install
	$(BIN)/python -m pytest -m long

test-paddle26:
	$(MAKE) install VENV=.venv-paddle26 EXTRAS=paddle26,dev
	.venv-paddle26/bin/python -m pytest $(PADDLE26_TESTS)

test-sanitize: install
	sh tests/postprocess/sanitize.sh $(BIN)/python

fuzz:
	sh tests/fuzz/run.sh 600

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install
	for file in benchmarks/metrics.py benchmarks/postprocess.py benchmarks/reader.py benchmarks/ranks.py benchmarks/infer.py; do $(BIN)/python $$file || exit 1; done

clean:
	rm -rf build demo output .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info ppocr_pse/postprocess/_C*.so
