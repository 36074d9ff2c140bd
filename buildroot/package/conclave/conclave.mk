################################################################################
#
# conclave
#
################################################################################

# The checkout that this tree is part of.
CONCLAVE_SITE = $(realpath $(BR2_EXTERNAL_CONCLAVE_PATH)/..)
CONCLAVE_SITE_METHOD = local
CONCLAVE_VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' $(CONCLAVE_SITE)/pyproject.toml)
CONCLAVE_SETUP_TYPE = pep517
CONCLAVE_DEPENDENCIES = host-python-setuptools
# The project names no license yet: nothing of it is to be passed on.
CONCLAVE_LICENSE = PROPRIETARY
CONCLAVE_REDISTRIBUTE = NO

# What a device is not made of: checks, tools, and what earlier builds left.
CONCLAVE_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = \
	--include /buildroot/board \
	--exclude /buildroot/* \
	$(foreach name,.* build docs fuzz mutants tests,--exclude /$(name)) \
	--exclude __pycache__ \
	--exclude *.egg-info

# Units, accounts, policies, and programs that let no variable decide what
# Python loads: these go over those that Python's installer made.
define CONCLAVE_INSTALL_SYSTEM
	$(@D)/systemd/install.sh $(TARGET_DIR)
endef
CONCLAVE_POST_INSTALL_TARGET_HOOKS += CONCLAVE_INSTALL_SYSTEM

$(eval $(python-package))
