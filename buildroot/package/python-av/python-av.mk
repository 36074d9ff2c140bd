################################################################################
#
# python-av
#
################################################################################

PYTHON_AV_VERSION = 18.1.0
PYTHON_AV_SOURCE = av-$(PYTHON_AV_VERSION).tar.gz
PYTHON_AV_SITE = https://files.pythonhosted.org/packages/8d/f4/f22114d30d3435e38c6af2b4870f37b864403dca6ae7af747a289ce0a18e
PYTHON_AV_SETUP_TYPE = setuptools
PYTHON_AV_LICENSE = BSD-3-Clause
PYTHON_AV_LICENSE_FILES = LICENSE.txt

PYTHON_AV_DEPENDENCIES = \
	ffmpeg8 \
	host-pkgconf \
	host-python-cython
PYTHON_AV_ENV = PKG_CONFIG="$(PKG_CONFIG_HOST_BINARY)"

# Headers and stubs are for who builds on the device, and a module that is
# compiled needs no source beside it.
PYTHON_AV_TARGET = $(TARGET_DIR)/usr/lib/python$(PYTHON3_VERSION_MAJOR)/site-packages/av
define PYTHON_AV_REMOVE_SOURCES
	find $(PYTHON_AV_TARGET) \( -name '*.pxd' -o -name '*.pyi' \) -delete
	find $(PYTHON_AV_TARGET) -name '*.so' | \
		sed 's,\.[^/]*$$,.py,' | xargs rm -f
endef
PYTHON_AV_POST_INSTALL_TARGET_HOOKS += PYTHON_AV_REMOVE_SOURCES

$(eval $(python-package))
