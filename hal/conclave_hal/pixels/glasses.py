"""Which glass there is: DRM before a framebuffer, and a file where somebody asks for it."""

from pathlib import Path

from conclave_hal.errors import DeviceError, DeviceGoneError, HalError
from conclave_hal.pixels.drm_glass import DrmGlass
from conclave_hal.pixels.fbdev_glass import FbdevGlass
from conclave_hal.pixels.glass import Glass
from conclave_hal.pixels.kernel import SYSTEM, Kernel
from conclave_hal.pixels.png_glass import PngGlass

CARDS = Path("/dev/dri")
FRAMEBUFFER = Path("/dev/fb0")


def open_glass(
    backend: str,
    device: str = "",
    connector: str = "",
    *,
    png_file: Path | None = None,
    png_size: tuple[int, int] = (1280, 800),
    built_in_first: bool = True,
    kernel: Kernel | None = None,
    cards: Path = CARDS,
    framebuffer: Path = FRAMEBUFFER,
) -> Glass:
    """Open the glass that the options name.

    With `built_in_first` a panel that is built in comes before a monitor, else after it.
    Raises OSError or HalError with the reason if there is none now; of several cards, the last one's.
    """
    system = kernel or SYSTEM
    if backend == "png":
        if png_file is None:
            raise DeviceError("there is no file to draw to")
        return PngGlass(png_file, *png_size)
    if device:
        is_card = backend == "drm" or (backend == "auto" and Path(device).is_relative_to(cards))
        if is_card:
            return DrmGlass(system, device, connector, built_in_first=built_in_first)
        return FbdevGlass(system, device)
    failure: HalError | OSError = DeviceGoneError(
        f"there is no card under {cards} and no {framebuffer}",
        hint="the kernel has no driver for the screen, or it is not plugged in",
    )
    if backend in ("auto", "drm"):
        for card in sorted(cards.glob("card*")):
            try:
                return DrmGlass(system, str(card), connector, built_in_first=built_in_first)
            except (HalError, OSError) as error:
                failure = error
    if backend == "fbdev" or (backend == "auto" and framebuffer.exists()):
        return FbdevGlass(system, str(framebuffer))
    raise failure
