################################################################################
#
# python-josepy
#
################################################################################

PYTHON_JOSEPY_VERSION = 2.2.0
PYTHON_JOSEPY_SOURCE = josepy-$(PYTHON_JOSEPY_VERSION).tar.gz
PYTHON_JOSEPY_SITE = https://files.pythonhosted.org/packages/7f/ad/6f520aee9cc9618d33430380741e9ef859b2c560b1e7915e755c084f6bc0
PYTHON_JOSEPY_SETUP_TYPE = poetry
PYTHON_JOSEPY_LICENSE = Apache-2.0
PYTHON_JOSEPY_LICENSE_FILES = LICENSE.txt

$(eval $(python-package))
