# setup   install what is missing: QGIS, the engine's environment, the tools over QGIS's Python
# demo    train and map on real imagery through qgis_process (INPUT= LABELS= CLASS_FIELD= for your own)
# test    both halves    check  ruff, mypy, import-linter    stage  build/satdifuser_qgis    zip  the plugin's zip
# awkward every file of a folder of awkward inputs, processed rightly or refused (DIR=)
# test-matrix  tests and a walk through real windows in QGIS 3.22, 3.40, 3.44 (root, mmdebstrap, 6 GB; VERSIONS=)
# bench   the quality table    pretrain  go on training the embedded backbone (MINUTES=60, STEPS=, LAST=1,
#          PRETRAIN="--distil-minutes 20 …")

PYTHON ?= /usr/bin/python3
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
MINUTES ?= 60
ENGINE := .venv/engine/bin/python
QGIS := .venv/qgis/bin/python
STAGE := build/satdifuser_qgis
# What the plugin repository takes, in bytes.
LARGEST_ZIP := 25000000
DIR ?= $(SHARED)/awkward
SHARED := $(or $(SATDIFUSER_DATA),../shared/data)
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: setup demo test test-engine test-qgis test-matrix check stage zip awkward bench pretrain clean
.DELETE_ON_ERROR:

setup: .venv/.system .venv/engine/.ready .venv/qgis/.ready

# lrelease only makes the translations: it comes with the rest, or for root, but nobody is asked for root for it alone.
.venv/.system:
	@mkdir -p .venv
	@if { command -v qgis_process.bin || command -v qgis_process; } >/dev/null 2>&1 && $(PYTHON) -m ensurepip --version >/dev/null 2>&1 \
		&& { [ -n "$(SUDO)" ] || command -v lrelease >/dev/null 2>&1; }; then \
		command -v lrelease >/dev/null 2>&1 || echo "Left out: lrelease (Debian's qttools5-dev-tools), so the staged plugin speaks English only."; \
	else \
		$(SUDO) apt-get update && \
		$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends qgis python3-qgis python3-venv qttools5-dev-tools; fi
	@touch $@

# torch comes alone, from its CPU index, so that no GPU libraries of several GB follow; a folder of wheels
# named by PIP_FIND_LINKS is used instead where there is one.
.venv/engine/.ready: satdifuser_qgis/runtime/environment/requirements.txt tests/requirements-engine.txt | .venv/.system
	$(PYTHON) -m venv .venv/engine
	.venv/engine/bin/pip install -q $(if $(PIP_FIND_LINKS),,--index-url $(TORCH_INDEX)) "$$(grep '^torch==' $<)"
	.venv/engine/bin/pip install -q -r $< -r tests/requirements-engine.txt
	@touch $@

.venv/qgis/.ready: tests/requirements-qgis.txt | .venv/.system
	$(PYTHON) -m venv --system-site-packages .venv/qgis
	.venv/qgis/bin/pip install -q -r $<
	@touch $@

stage:
	@rm -rf $(STAGE) && mkdir -p $(STAGE)
	@cp -r satdifuser_qgis/. $(STAGE)/
	@cp -r resources metadata.txt LICENSE $(STAGE)/
	@mkdir -p $(STAGE)/i18n
	@if command -v lrelease >/dev/null 2>&1; then \
		for f in i18n/*.ts; do lrelease -silent "$$f" -qm $(STAGE)/i18n/$$(basename "$${f%.ts}").qm || exit 1; done; \
	else echo "No lrelease: the staged plugin speaks English only."; fi
	@if $(ENGINE) -c "import markdown" 2>/dev/null; then $(ENGINE) docs/help/make.py $(STAGE)/help; \
	else echo "No Python-Markdown (make setup brings it): the staged plugin's Help opens the guide on the web."; fi
	@find $(STAGE) -name '__pycache__' -prune -exec rm -rf {} +

zip: stage
	@$(PYTHON) -m zipfile -c $(STAGE).zip $(STAGE)
	@size=$$(stat -c %s $(STAGE).zip); echo "$(STAGE).zip: $$size bytes, at most $(LARGEST_ZIP)"; [ $$size -le $(LARGEST_ZIP) ]

demo: setup stage
	@$(ENGINE) benchmarks/demo.py $(if $(INPUT),--input "$(INPUT)") $(if $(LABELS),--labels "$(LABELS)") $(if $(CLASS_FIELD),--class-field "$(CLASS_FIELD)")

test: test-engine test-qgis
	@[ -d "$(SHARED)" ] || echo "Left out: tests on real imagery and reference vectors ($(SHARED) is not there)."

test-engine: setup stage
	$(ENGINE) -m pytest tests/engine -q -rs $(PYTEST)

test-qgis: setup stage
	home=$$(mktemp -d) && QT_QPA_PLATFORM=offscreen HOME=$$home XDG_RUNTIME_DIR=$$home $(QGIS) -m pytest tests/protocol tests/runtime tests/processing tests/styling tests/gui -q -rs $(PYTEST); code=$$?; rm -rf $$home; exit $$code

test-matrix: setup stage
	$(ENGINE) -m tests.matrix $(VERSIONS)

check: setup
	.venv/engine/bin/ruff check .
	.venv/engine/bin/ruff format --check .
	.venv/engine/bin/mypy
	.venv/engine/bin/lint-imports --no-cache

awkward: setup
	@$(ENGINE) -W ignore benchmarks/awkward.py "$(DIR)" $(AWKWARD)

bench: setup
	$(ENGINE) benchmarks/quality.py --json build/quality.json

pretrain: setup
	$(ENGINE) benchmarks/pretrain.py --data $(SHARED) --minutes $(MINUTES) $(if $(STEPS),--steps $(STEPS)) $(if $(LAST),--last) $(PRETRAIN)

clean:
	rm -rf build
