################################################################################
#
# fonts-droid-fallback
#
################################################################################

FONTS_DROID_FALLBACK_VERSION = 8.1.0r7
FONTS_DROID_FALLBACK_SOURCE = fonts-android_$(FONTS_DROID_FALLBACK_VERSION).orig.tar.gz
FONTS_DROID_FALLBACK_SITE = https://deb.debian.org/debian/pool/main/f/fonts-android
# The files lie at the top of the tarball.
FONTS_DROID_FALLBACK_STRIP_COMPONENTS = 0
FONTS_DROID_FALLBACK_LICENSE = Apache-2.0
FONTS_DROID_FALLBACK_LICENSE_FILES = NOTICE

define FONTS_DROID_FALLBACK_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0644 $(@D)/DroidSansFallbackFull.ttf \
		$(TARGET_DIR)/usr/share/fonts/droid/DroidSansFallbackFull.ttf
endef

$(eval $(generic-package))
