# Conclave. `make` alone lists what there is.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
ARGS ?=
PY := .venv/bin/python
# Tests start many programs; each would compile all of its modules again where byte code is not kept.
export PYTHONPYCACHEPREFIX := $(CURDIR)/build/pycache
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo room test test-drivers e2e simulate peers fuzz mutants lint conformance bench bench-mls man schema hal-doc lock clean test-hal-vm image-qemu test-image test-update soak-image setup-run setup-test setup-peers setup-vm setup-image setup-firmware firmware firmware-check test-py314

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

demo: setup-run ## three rooms enroll, meet and encrypt; ARGS=--once runs it to its end and checks it
	@$(PY) -m tests.demo $(ARGS)

room: setup-test ## a bare room behind SSH, to provision by the README's lines
	@$(PY) -m tests.demo.bare_room $(ARGS)

test: setup-test ## all tests but those that have a target of their own; ARGS='-k name' picks some
	@$(PY) -m pytest -q -m "not drivers and not e2e and not peers and not image" $(ARGS)

test-drivers: setup-test ## each driver of the HAL against its counterpart: does it keep its promises?
	@$(PY) -m pytest -q -m drivers tests/hal $(ARGS)

e2e: setup-test ## the slow end-to-end tests, on real processes
	@$(PY) -m pytest -q -m e2e $(ARGS)

simulate: setup-test ## a minute of meetings under every fault; ARGS='--hours 4', ARGS='--seed N'
	@$(PY) -m tests.simulation $(ARGS)

peers: setup-peers ## one MLS group with OpenMLS, mls-rs and ts-mls, live; builds them first; ARGS=--record
	@$(PY) -m tests.peers $(ARGS)

test-hal-vm: setup-vm ## camera, sound, CEC, input and screen drivers on a guest's kernel; ARGS='-k name'
	@$(PY) -m tests.vm $(ARGS)

image-qemu: setup-image ## build the device's image and run it under QEMU; ARGS=--shell for a root shell
	@$(PY) -m tests.image.developer $(ARGS)

test-image: setup-image ## build the device's image, boot it under QEMU and attack it; ARGS='-k name'
	@$(PY) -m tests.image $(ARGS)

test-update: setup-image ## update that device's firmware: installed, tried, given up, refused, cut off
	@$(PY) -m tests.image --update $(ARGS)

soak-image: setup-image ## cut the power of that device twenty times; ARGS='--seed N', ARGS='--cuts N'
	@$(PY) -m tests.image --soak $(ARGS)

firmware: setup-firmware ## BOARD=NAME BUILDROOT=DIR: build a device's image with Buildroot, in build/firmware
	@$(PY) buildroot/firmware.py "$(BOARD)" "$(BUILDROOT)" $(ARGS)

firmware-check: setup-firmware ## BUILDROOT=DIR: boards and packages through kconfig and genimage; builds nothing
	@CONCLAVE_BUILDROOT=$(BUILDROOT) CONCLAVE_LINUX=$(LINUX) CONCLAVE_UBOOT=$(UBOOT) $(PY) -m pytest -q tests/firmware $(ARGS)

test-py314: ## the suite under Python 3.14 with the device's versions, in a Debian sid; needs root; ARGS='-k name'
	@tests/py314.sh $(ARGS)

fuzz: setup-test ## a minute of hostile bytes for MLS; ARGS='--seconds 600', ARGS='--replay FILE'
	@tests/fuzz/setup.sh && $(PY) -m tests.fuzz $(ARGS)

mutants: setup-test ## plant deliberate bugs, one at a time; each must be noticed
	@$(PY) -m tests.mutation $(ARGS)

lint: setup-test ## ruff and mypy --strict
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . && $(PY) -m mypy

conformance: setup-test ## do your drivers keep their promises? ARGS='hal.toml --interactive' (docs/hal.md)
	@$(PY) -m tests.hal.conformance $(or $(ARGS),--help)

bench: setup-test ## print the figures of speed and size
	@$(PY) -m tests.bench $(ARGS)

bench-mls: setup-test ## MLS beside other stacks, each figure with its floor; ARGS='--n 1000'
	@$(PY) -m tests.bench.mls $(ARGS)

man: setup-run ## write conclavectl's manual pages to build/man, from its own help
	@$(PY) -m conclave_provisioning.cli.reference --man build/man && ls build/man

schema: setup-run ## write docs/schema anew: what each command of conclavectl prints with --json
	@$(PY) -m conclave_provisioning.cli.reference --schema docs/schema

hal-doc: setup-run ## write the list of drivers in docs/hal.md anew, from what they declare
	@$(PY) -m tests.hal.reference docs/hal.md

lock: setup-run ## write both lock files anew from pyproject.toml: ours, and the device's
	@$(PY) -m venv .venv/lock && .venv/lock/bin/pip install -q uv
	@.venv/lock/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --extra dev \
	    --custom-compile-command "make lock" pyproject.toml -o requirements.lock
	@.venv/lock/bin/uv pip compile -q --python-version 3.14 --python-platform aarch64-manylinux_2_36 --generate-hashes \
	    --extra dev --extra gpio --constraint buildroot/constraints.txt --override buildroot/overrides.txt \
	    --custom-compile-command "make lock" pyproject.toml -o buildroot/requirements.lock

clean: ## remove what make made
	rm -rf .venv build .pytest_cache .mypy_cache .ruff_cache .hypothesis

setup-run:
	@tests/setup.sh run

setup-test:
	@tests/setup.sh test

setup-peers:
	@tests/setup.sh peers

setup-vm:
	@tests/setup.sh vm

setup-image:
	@tests/setup.sh image

setup-firmware:
	@tests/setup.sh firmware
