################################################################################
#
# fonts-b612
#
################################################################################

FONTS_B612_VERSION = 1.008
FONTS_B612_SOURCE = fonts-b612_$(FONTS_B612_VERSION).orig.tar.gz
FONTS_B612_SITE = https://deb.debian.org/debian/pool/main/f/fonts-b612
FONTS_B612_LICENSE = OFL-1.1 or EPL-1.0 or BSD-3-Clause
FONTS_B612_LICENSE_FILES = OFL.txt
# The panel's code, its words, and its bold words.
FONTS_B612_FILES = B612Mono-Bold B612-Regular B612-Bold

define FONTS_B612_INSTALL_TARGET_CMDS
	$(INSTALL) -d $(TARGET_DIR)/usr/share/fonts/b612
	$(foreach name,$(FONTS_B612_FILES), \
		$(INSTALL) -m 0644 $(@D)/fonts/ttf/$(name).ttf \
			$(TARGET_DIR)/usr/share/fonts/b612$(sep))
endef

$(eval $(generic-package))
