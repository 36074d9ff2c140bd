"""Zero touch: settings that somebody signed for this device, from a USB stick or from a pinned server."""

from conclaved.service.provisioning.errors import ProvisioningError, ProvisioningErrorKind
from conclaved.service.provisioning.first_boot import FirstBoot
from conclaved.service.provisioning.provisioning import Provisioning
from conclaved.service.provisioning.serials_file import SerialsFile

__all__ = ["FirstBoot", "Provisioning", "ProvisioningError", "ProvisioningErrorKind", "SerialsFile"]
