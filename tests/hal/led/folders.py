"""A folder as the LED class has them, in a scratch place."""

from pathlib import Path


class LedFolder:
    """Some LEDs; each file takes what is written, as the kernel's would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "leds"
        self.folder.mkdir()

    def add(self, name: str, *, colours: str = "", full: int = 255) -> None:
        led = self.folder / name
        led.mkdir()
        (led / "max_brightness").write_text(f"{full}\n")
        (led / "brightness").write_text("0\n")
        (led / "trigger").write_text("[heartbeat] none\n")
        if colours:
            (led / "multi_index").write_text(colours + "\n")
            (led / "multi_intensity").write_text(" ".join("0" for _ in colours.split()) + "\n")

    def unplug(self) -> None:
        self.folder.rename(self.folder.with_name("unplugged"))

    def plug_in(self) -> None:
        self.folder.with_name("unplugged").rename(self.folder)

    def read(self, name: str, file: str = "brightness") -> str:
        return (self.folder / name / file).read_text().strip()
