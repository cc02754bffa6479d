# Two commands set everything up: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= demo-out
DETECT_OUT ?= demo-detect-out
RAW := examples/small_dataset/raw
PARTS := jst_header dht11

.PHONY: demo demo-detect test bench lint clean

SOURCES := pyproject.toml setup.py constraints.txt $(wildcard kernels/*)
INSTALL = test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); \
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e

$(BIN)/.base: $(SOURCES)
	$(INSTALL) .
	@touch $@

# Each builds the core, so that one of them is enough: what they install holds the base.
$(BIN)/.dev: $(SOURCES)
	$(INSTALL) '.[dev]'
	@touch $(BIN)/.base $@

demo: $(BIN)/.base ## install, solve the sample capture, compare it with its ground truth
	$(BIN)/mvps normals examples/sample_capture $(OUT) --quality
	$(BIN)/mvps evaluate normals $(OUT) --truth examples/sample_capture/truth

$(BIN)/.detect: $(SOURCES)
	$(INSTALL) '.[detect,onnx,plot]'
	@touch $(BIN)/.base $@

demo-detect: $(BIN)/.detect ## raw photographs, normals, a trained detector, verdicts, its report
	$(BIN)/python examples/fetch_encoder.py
	$(foreach part,$(PARTS),$(BIN)/mvps normals $(RAW)/$(part) $(DETECT_OUT)/solved/$(part) &&) true
	$(BIN)/mvps detect train examples/small_dataset $(DETECT_OUT)/run --encoder focus-vits14 --size 224 --batch 8 --steps 60 --by-place
	$(BIN)/mvps detect score $(DETECT_OUT)/run examples/small_dataset
	$(BIN)/mvps detect predict $(DETECT_OUT)/run $(addprefix $(DETECT_OUT)/solved/,$(PARTS))
	$(BIN)/mvps detect report $(DETECT_OUT)/run --scores $(DETECT_OUT)/run/scores/small_dataset

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
	$(BIN)/python benchmarks/metrics.py
	$(BIN)/python benchmarks/train.py
	$(BIN)/python benchmarks/synth.py --full-size
	$(BIN)/python benchmarks/synth_masks.py

clean:
	rm -rf build dist *.egg-info $(OUT) $(DETECT_OUT)
