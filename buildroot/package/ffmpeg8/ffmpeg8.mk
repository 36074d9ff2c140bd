################################################################################
#
# ffmpeg8
#
################################################################################

FFMPEG8_VERSION = 8.1.2
FFMPEG8_SOURCE = ffmpeg-$(FFMPEG8_VERSION).tar.xz
FFMPEG8_SITE = https://ffmpeg.org/releases
FFMPEG8_INSTALL_STAGING = YES
FFMPEG8_LICENSE = GPL-2.0+, LGPL-2.1+
FFMPEG8_LICENSE_FILES = LICENSE.md COPYING.GPLv2 COPYING.LGPLv2.1
FFMPEG8_CPE_ID_VENDOR = ffmpeg
FFMPEG8_CPE_ID_PRODUCT = ffmpeg
FFMPEG8_DEPENDENCIES = alsa-lib host-pkgconf opus x264

# What hal/conclave_hal and daemon/conclaved/service/spoken_code.py ask for.
FFMPEG8_DECODERS = h264 libopus mjpeg pcm_s16le rawvideo
FFMPEG8_ENCODERS = h264_v4l2m2m libopus libx264 pcm_s16le rawvideo
FFMPEG8_DEMUXERS = wav
FFMPEG8_PARSERS = h264 mjpeg opus
FFMPEG8_BITSTREAM_FILTERS = h264_mp4toannexb
FFMPEG8_FILTERS = abuffer abuffersink aformat aresample buffer buffersink
FFMPEG8_FILTERS += format scale

FFMPEG8_CONF_OPTS = \
	--prefix=/usr \
	--enable-cross-compile \
	--cross-prefix=$(TARGET_CROSS) \
	--sysroot=$(STAGING_DIR) \
	--host-cc="$(HOSTCC)" \
	--arch=$(BR2_ARCH) \
	--target-os=linux \
	--pkg-config="$(PKG_CONFIG_HOST_BINARY)" \
	--enable-shared \
	--disable-static \
	--disable-stripping \
	--disable-programs \
	--disable-doc \
	--disable-autodetect \
	--disable-everything \
	--disable-network \
	--enable-gpl \
	--enable-pic \
	--enable-pthreads \
	--enable-alsa \
	--enable-libopus \
	--enable-libx264 \
	--enable-v4l2-m2m \
	--enable-indev=alsa \
	--enable-indev=v4l2 \
	--enable-protocol=file \
	$(foreach name,$(FFMPEG8_DECODERS),--enable-decoder=$(name)) \
	$(foreach name,$(FFMPEG8_ENCODERS),--enable-encoder=$(name)) \
	$(foreach name,$(FFMPEG8_DEMUXERS),--enable-demuxer=$(name)) \
	$(foreach name,$(FFMPEG8_PARSERS),--enable-parser=$(name)) \
	$(foreach name,$(FFMPEG8_BITSTREAM_FILTERS),--enable-bsf=$(name)) \
	$(foreach name,$(FFMPEG8_FILTERS),--enable-filter=$(name))

ifeq ($(BR2_x86_64),y)
FFMPEG8_DEPENDENCIES += host-nasm
endif

# configure is FFmpeg's own and knows no --target.
define FFMPEG8_CONFIGURE_CMDS
	cd $(@D) && $(TARGET_CONFIGURE_OPTS) ./configure $(FFMPEG8_CONF_OPTS)
endef

define FFMPEG8_BUILD_CMDS
	$(TARGET_MAKE_ENV) $(MAKE) -C $(@D)
endef

define FFMPEG8_INSTALL_STAGING_CMDS
	$(TARGET_MAKE_ENV) $(MAKE) -C $(@D) DESTDIR=$(STAGING_DIR) install
endef

define FFMPEG8_INSTALL_TARGET_CMDS
	$(TARGET_MAKE_ENV) $(MAKE) -C $(@D) DESTDIR=$(TARGET_DIR) install-libs
endef

$(eval $(generic-package))
