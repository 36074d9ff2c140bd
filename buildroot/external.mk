# Versions, patches and hashes here belong to one Buildroot. Its point releases
# (2026.08.1) mend it, and its release candidates are that release in the
# making; any other has other versions of Python, systemd and OpenSSL.
CONCLAVE_BUILDROOT = 2026.08

ifneq ($(filter $(CONCLAVE_BUILDROOT) $(CONCLAVE_BUILDROOT).%,$(BR2_VERSION)),)
else ifneq ($(filter $(CONCLAVE_BUILDROOT)-rc%,$(BR2_VERSION)),)
$(warning Conclave: Buildroot $(BR2_VERSION) is a release candidate. \
	Ship images of $(CONCLAVE_BUILDROOT) or its point releases only)
else
$(error Conclave needs Buildroot $(CONCLAVE_BUILDROOT) or one of its point \
	releases, and this is $(BR2_VERSION). Check out the tag $(CONCLAVE_BUILDROOT))
endif

include $(sort $(wildcard $(BR2_EXTERNAL_CONCLAVE_PATH)/package/*/*.mk))

# sshd locks itself into an empty folder of root's: one of the verified root,
# because /var is what lives on.
OPENSSH_CONF_OPTS += --with-privsep-path=/usr/share/empty

# Accounts come from sysusers.d, as on every other image: post-fakeroot.sh.
HOST_SYSTEMD_CONF_OPTS += -Dsysusers=true

# Pillow joins Arabic and Devanagari letters through RAQM, which it brings, and
# which finds FriBidi when it runs.
PYTHON_PILLOW_BUILD_OPTS := \
	$(filter-out -Craqm=disable,$(PYTHON_PILLOW_BUILD_OPTS)) \
	-Craqm=vendor -Cfribidi=vendor
ifeq ($(BR2_PACKAGE_CONCLAVE),y)
$(PYTHON_PILLOW_TARGET_CONFIGURE): | harfbuzz
endif

# U-Boot's own device tree: whose signature it demands, and what it does.
define CONCLAVE_UBOOT_DEVICE_TREE
	HOST_DIR=$(HOST_DIR) BUILD_DIR=$(BUILD_DIR) CONFIG_DIR=$(CONFIG_DIR) \
		$(BR2_EXTERNAL_CONCLAVE_PATH)/board/common/uboot-device-tree \
		$(call qstrip,$(BR2_ROOTFS_POST_SCRIPT_ARGS)) \
		$(@D)/arch/arm/dts/conclave.dtsi
endef
UBOOT_PRE_BUILD_HOOKS += CONCLAVE_UBOOT_DEVICE_TREE
ifeq ($(BR2_PACKAGE_CONCLAVE_DEVICE)$(BR2_TARGET_UBOOT),yy)
$(UBOOT_TARGET_CONFIGURE): | host-dtc host-uboot-tools
endif
