# Each goal sets up what it needs in .venv; a stamp makes that quick the second time. pip reads its own configuration and environment.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FAMILIES := melgan hifigan diffwave
BENCH_RECIPES := fp32,static_w8a8,control_qat_w8a8,qat_w8a8,folded_fp32,folded_static_w8a8

.PHONY: demo test test-page test-mcu test-pi bench lint clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed-all
	$(BIN)/vcompress run $(FAMILIES) --size S --demo --workspace runs/demo

# Hours, most of them QAT; a call that was stopped goes on. What is measured on: make bench BENCH_ARGS="--data DIR --validation 'PATTERN'"
bench: $(VENV)/.installed-all
	$(BIN)/vcompress run $(FAMILIES) --size S --workspace runs/bench --recipes $(BENCH_RECIPES) $(value BENCH_ARGS)
	$(BIN)/python -m vcompress.benchmarks.figures --workspace runs/bench

# One thread a worker: two workers that each start a thread a core slow each other down. A file stays with one worker: its fixtures are made once.
test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

# The C export on simulated boards. What is missing of compilers and simulators is installed from Debian and npm, as root or through sudo.
test-mcu: $(VENV)/.installed-test
	$(BIN)/python -m pip install --quiet --editable '.[mcu]'
	$(BIN)/python -m vcompress.targets.simulators.install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m mcu tests/mcu

# The page in a headless Chromium, which is installed from Debian where there is none, as root or through sudo.
test-page: $(VENV)/.installed-test
	(command -v chromium || command -v chromium-browser || command -v google-chrome) >/dev/null || $$(command -v sudo) apt-get install -y --no-install-recommends chromium
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m page tests/page

# Emulated Raspberry Pis, from Debian's packages: those it needs are installed as root or through sudo. Run it as root: the tests over ssh need chroot
# and binfmt_misc, and are skipped for others. About a quarter of an hour.
test-pi: $(VENV)/.installed-test
	$(BIN)/python -m vcompress.targets.userlands.install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m pi -n 2 --dist loadfile tests/pi

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .

$(VENV)/.installed-all: pyproject.toml
	$(call install,all)

$(VENV)/.installed-test: pyproject.toml
	$(call install,all$(comma)test)

comma := ,
define install
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "vcompress needs Python 3.11 or newer; run: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[$(1)]'
	touch $@
endef

# Caches and build leftovers; .venv and runs stay.
clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis lightning_logs
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
