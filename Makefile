# Every target is one command; what it does stands in the module that it calls.
# `make setup ENGINE=vllm` also installs a real engine for the simulated rack (6 GB), as the demo
# and the tests of engines need it; `make demo ENGINE=none` does without.
PYTHON ?= python3
BIN := .venv/bin
# Setup runs before anything is installed.
DEMO_ENGINE = $(filter-out none,$(or $(ENGINE),vllm))
OFFLINE := PYTHONPATH=packages/pulumi-offline:. $(PYTHON) -m pulumi_offline
# Compiled modules and tests stay in __pycache__ between runs: collecting takes half the time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup lock check unit unit-node unit-reach unit-rest test fuzz long rounds demo demo-down rack-up rack-down clean
setup:     ; $(OFFLINE) setup $(addprefix --engine ,$(ENGINE))
lock:      ; $(OFFLINE) lock $(addprefix --engine ,$(ENGINE))
check:     ; $(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy
unit:      ; @$(MAKE) --no-print-directory -j3 $(TOGETHER) unit-node unit-reach unit-rest
test: setup
	SPARKFORM_FUZZ_EXAMPLES=2000 $(BIN)/pytest -q -n 2 --dist loadfile --hypothesis-profile many
fuzz:      ; SPARKFORM_FUZZ_EXAMPLES=20000 $(BIN)/pytest -q -n 4 --hypothesis-profile new tests/unit
long:      ; $(BIN)/pytest -q -m "long and not rounds" tests/rack
rounds:    ; $(BIN)/pytest -q -m rounds tests/rack
demo:      ; @$(OFFLINE) setup $(addprefix --engine ,$(DEMO_ENGINE)) && $(BIN)/python -m sparkrack.demo $(if $(DEMO_ENGINE),,--no-engine)
demo-down: ; $(BIN)/python -m sparkrack.demo --down
rack-up:   ; $(BIN)/python -m sparkrack prepare && $(BIN)/python -m sparkrack up
rack-down: ; $(BIN)/python -m sparkrack down
clean:     ; rm -rf .venv .toolchain .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Three runs side by side: workers of one run would each collect all tests, a quarter more work.
# Temporary files stay in memory where the system has a place for that.
OFFLINE_UNIT := packages/pulumi-offline/pulumi_offline_tests/unit
REACH := $(addprefix tests/unit/,ssh report commands doctor) packages/sparkrack $(OFFLINE_UNIT)
UNIT = TMPDIR=$(wildcard /dev/shm) $(BIN)/pytest -q -p no:xdist -p no:cacheprovider
TOGETHER := $(if $(filter output-sync,$(.FEATURES)),--output-sync)
unit-node:  ; @$(UNIT) tests/unit/node
unit-reach: ; @$(UNIT) $(REACH)
unit-rest:  ; @$(UNIT) tests/unit tests/components tests/policies $(addprefix --ignore=,tests/unit/node $(filter tests/%,$(REACH)))
