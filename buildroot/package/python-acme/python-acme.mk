################################################################################
#
# python-acme
#
################################################################################

PYTHON_ACME_VERSION = 5.9.0
PYTHON_ACME_SOURCE = acme-$(PYTHON_ACME_VERSION).tar.gz
PYTHON_ACME_SITE = https://files.pythonhosted.org/packages/dd/ad/da805f98b7b7fc0e9f9ec490ad743b2c8b5fca3fb8fcf3bf4a3012bc53f2
PYTHON_ACME_SETUP_TYPE = setuptools
PYTHON_ACME_LICENSE = Apache-2.0
PYTHON_ACME_LICENSE_FILES = LICENSE.txt

$(eval $(python-package))
