# Two commands set everything up: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= demo-out

.PHONY: demo test bench lint clean

$(BIN)/.base: pyproject.toml setup.py constraints.txt $(wildcard kernels/*)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(BIN)/.dev: $(BIN)/.base
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(BIN)/.base ## install, solve the sample capture, compare it with its ground truth
	$(BIN)/mvps normals examples/sample_capture $(OUT) --quality
	$(BIN)/mvps evaluate normals $(OUT) --truth examples/sample_capture/truth

test: lint ## lint, types and every test
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

lint: $(BIN)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(BIN)/.dev ## every benchmark; prints tables, writes benchmarks/results/
	$(BIN)/python benchmarks/solve.py
	$(BIN)/python benchmarks/normal_encodings.py
	$(BIN)/python benchmarks/png.py
	$(BIN)/python benchmarks/end_to_end.py
	$(BIN)/python benchmarks/many_stacks.py
	$(BIN)/python benchmarks/overlap.py
	$(BIN)/python benchmarks/light_sanity.py
	$(BIN)/python benchmarks/undistort.py
	$(BIN)/python benchmarks/robust.py
	$(BIN)/python benchmarks/robust_accuracy.py
	$(BIN)/python benchmarks/quality.py
	$(BIN)/python benchmarks/near.py
	$(BIN)/python benchmarks/surface.py

clean:
	rm -rf build dist *.egg-info $(OUT)
