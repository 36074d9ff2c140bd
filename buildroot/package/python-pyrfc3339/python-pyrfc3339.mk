################################################################################
#
# python-pyrfc3339
#
################################################################################

PYTHON_PYRFC3339_VERSION = 2.1.1
PYTHON_PYRFC3339_SOURCE = pyrfc3339-$(PYTHON_PYRFC3339_VERSION).tar.gz
PYTHON_PYRFC3339_SITE = https://files.pythonhosted.org/packages/80/7a/0e5227aa1c831fdaf579073a0ebb5ca11fc352a43fce8d2639e3ff87ff74
PYTHON_PYRFC3339_SETUP_TYPE = setuptools
PYTHON_PYRFC3339_LICENSE = MIT
PYTHON_PYRFC3339_LICENSE_FILES = LICENSE.txt

PYTHON_PYRFC3339_DEPENDENCIES = host-python-setuptools-scm

$(eval $(python-package))
