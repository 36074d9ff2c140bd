################################################################################
#
# python-pkcs11
#
################################################################################

PYTHON_PKCS11_VERSION = 0.10.1
PYTHON_PKCS11_SOURCE = python_pkcs11-$(PYTHON_PKCS11_VERSION).tar.gz
PYTHON_PKCS11_SITE = https://files.pythonhosted.org/packages/3c/1e/4599d63cadc847c68af32a7d232d003563b2682af1373490727b5b3936da
PYTHON_PKCS11_SETUP_TYPE = setuptools
PYTHON_PKCS11_LICENSE = MIT
PYTHON_PKCS11_LICENSE_FILES = LICENSE

PYTHON_PKCS11_DEPENDENCIES = \
	host-python-cython \
	host-python-setuptools-scm

$(eval $(python-package))
