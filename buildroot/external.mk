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
