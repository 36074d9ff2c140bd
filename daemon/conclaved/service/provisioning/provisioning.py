"""Applies a provisioning file: judged first, then set as `config apply` would, then remembered."""

from dataclasses import dataclass

from conclaved.bus.change_report import ChangeReport
from conclaved.bus.room import RoomError, RoomErrorKind
from conclaved.identity import BelievedClock
from conclaved.service.config import ConfigError
from conclaved.service.configuring import Configuring
from conclaved.service.provisioning.errors import ProvisioningError
from conclaved.service.provisioning.provisioning_file import ProvisioningFile, read
from conclaved.service.provisioning.serials_file import SerialsFile


@dataclass(frozen=True, slots=True)
class Provisioning:
    """What a device needs to judge a file and to apply it."""

    configuring: Configuring
    clock: BelievedClock
    serials: SerialsFile
    serial_number: str
    """The device's own."""

    def read(self, token: str) -> ProvisioningFile:
        """Return a file that this device obeys, now. Raises ProvisioningError, ConfigError."""
        file = read(token, self.configuring.config.provisioning.signers)
        file.check(
            device=self.serial_number,
            now=self.clock.now(),
            floor=self.clock.floor,
            last_serial=self.serials.last(file.signer),
        )
        return file

    def apply(self, token: str, *, dry_run: bool = False) -> ChangeReport:
        """Set what a file says, all of it or nothing. Raises RoomError.

        A power cut before the serial number is kept lets the file be applied again, which changes nothing.
        """
        try:
            file = self.read(token)
            report = self.configuring.apply(file.settings, replace=file.replace, dry_run=dry_run)
            if not dry_run:
                self.serials.remember(file.signer, file.serial)
        except ProvisioningError as error:
            raise RoomError(RoomErrorKind.REFUSED, str(error), hint=error.hint) from error
        except (OSError, ConfigError) as error:
            words = error.strerror if isinstance(error, OSError) else str(error)
            raise RoomError(
                RoomErrorKind.FAILED,
                f"it cannot be kept that this file was applied: {words}",
                hint="see: conclavectl doctor",
            ) from error
        return report
