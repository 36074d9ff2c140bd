################################################################################
#
# espeak-ng
#
################################################################################

ESPEAK_NG_VERSION = 1.52.0
ESPEAK_NG_SOURCE = espeak-ng_$(ESPEAK_NG_VERSION)+dfsg.orig.tar.gz
ESPEAK_NG_SITE = https://deb.debian.org/debian/pool/main/e/espeak-ng
ESPEAK_NG_LICENSE = GPL-3.0+, BSD-2-Clause, Unicode-DFS-2015 (ucd-tools)
ESPEAK_NG_LICENSE_FILES = COPYING COPYING.BSD2 COPYING.UCD
ESPEAK_NG_AUTORECONF = YES
ESPEAK_NG_DEPENDENCIES = host-espeak-ng host-pkgconf
HOST_ESPEAK_NG_DEPENDENCIES = host-pkgconf

# No sound output of its own, no other synthesizers.
ESPEAK_NG_CONF_OPTS = \
	--with-pcaudiolib=no \
	--with-sonic=no \
	--with-mbrola=no \
	--with-speechplayer=no
HOST_ESPEAK_NG_CONF_OPTS = $(ESPEAK_NG_CONF_OPTS)

# automake asks for files that upstream's autogen.sh makes.
define ESPEAK_NG_MAKE_WHAT_AUTOMAKE_ASKS_FOR
	touch $(@D)/AUTHORS $(@D)/NEWS
endef
ESPEAK_NG_POST_PATCH_HOOKS += ESPEAK_NG_MAKE_WHAT_AUTOMAKE_ASKS_FOR
HOST_ESPEAK_NG_POST_PATCH_HOOKS += ESPEAK_NG_MAKE_WHAT_AUTOMAKE_ASKS_FOR

# What it pronounces by is compiled by running it: by the host's.
ESPEAK_NG_PROGRAMS = src/libespeak-ng.la src/espeak-ng

define ESPEAK_NG_BUILD_CMDS
	$(TARGET_MAKE_ENV) $(MAKE) -C $(@D) $(ESPEAK_NG_PROGRAMS)
endef

define ESPEAK_NG_INSTALL_TARGET_CMDS
	$(TARGET_MAKE_ENV) $(MAKE) -C $(@D) DESTDIR=$(TARGET_DIR) \
		install-libLTLIBRARIES install-binPROGRAMS \
		lib_LTLIBRARIES=src/libespeak-ng.la bin_PROGRAMS=src/espeak-ng
	mkdir -p $(TARGET_DIR)/usr/share
	rsync -a --delete $(HOST_DIR)/share/espeak-ng-data \
		$(TARGET_DIR)/usr/share/
endef

$(eval $(autotools-package))
$(eval $(host-autotools-package))
