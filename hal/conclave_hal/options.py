"""Options of drivers: declared beside the driver, checked when `hal.toml` is read.

A driver's options are one frozen dataclass whose annotations carry the rules; a field without
a default is a required option:

    @dataclass(frozen=True, slots=True)
    class LampOptions:
        pin: Annotated[int, Option(integer(0, 63), "GPIO line of the lamp")] = 4

`read_options` turns one TOML table into such a value, or says in one line what is wrong.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Generic, TypeVar, cast, get_type_hints

from conclave_hal.errors import ConfigurationError

T = TypeVar("T")
O = TypeVar("O")  # noqa: E741


@dataclass(frozen=True, slots=True)
class Rule(Generic[T]):
    """What an option accepts."""

    allowed: str
    """The allowed values in words, as they end the sentence "must be ...". """
    parse: Callable[[object, Path], T]
    """Takes the TOML value and the folder of the file; raises ValueError if it is not allowed."""
    is_secret: bool = False
    """What stands in the file is not repeated when it is wrong."""


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """A loopback address and port to listen on; port 0 lets the system choose."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class HostPort:
    """A device in the network."""

    host: str
    port: int


def integer(low: int, high: int, *, multiple_of: int = 1) -> Rule[int]:
    """A whole number from `low` to `high`, both included."""

    def parse(value: object, folder: Path) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError
        if not low <= value <= high or value % multiple_of:
            raise ValueError
        return value

    step = f", a multiple of {multiple_of}" if multiple_of > 1 else ""
    return Rule(f"a whole number from {low} to {high}{step}", parse)


def flag() -> Rule[bool]:
    """true or false."""

    def parse(value: object, folder: Path) -> bool:
        if not isinstance(value, bool):
            raise ValueError
        return value

    return Rule("true or false", parse)


def choice(*allowed: str) -> Rule[str]:
    """One of the given words."""

    def parse(value: object, folder: Path) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise ValueError
        return value

    return Rule("one of " + ", ".join(f'"{word}"' for word in allowed), parse)


def one_of(*allowed: int) -> Rule[int]:
    """One of the given whole numbers."""

    def parse(value: object, folder: Path) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value not in allowed:
            raise ValueError
        return value

    return Rule("one of " + ", ".join(map(str, allowed)), parse)


def number(low: float, high: float) -> Rule[float]:
    """A number from `low` to `high`, both included; whole or with a fraction."""

    def parse(value: object, folder: Path) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError
        return float(value)

    return Rule(f"a number from {low:g} to {high:g}", parse)


def device_path() -> Rule[str]:
    """The path of a device, which need not be plugged in now.

    Best one that does not change with the order of plugging in, such as `/dev/serial/by-path/...`.
    """

    def parse(value: object, folder: Path) -> str:
        if not isinstance(value, str) or not value.isprintable() or not Path(value).is_absolute():
            raise ValueError
        return value

    return Rule('the absolute path of a device, such as "/dev/serial/by-path/..."', parse)


def host_port() -> Rule[HostPort]:
    """`host:port` of a device in the network; IPv6 in brackets."""
    form = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?):([0-9]{1,5})")

    def parse(value: object, folder: Path) -> HostPort:
        found = form.fullmatch(value) if isinstance(value, str) else None
        if found is None or not 1 <= int(found[3]) <= 65535:
            raise ValueError
        return HostPort(found[1].strip("[]"), int(found[3]))

    return Rule('a host and a port, such as "192.0.2.7:52381"', parse)


def text(max_bytes: int) -> Rule[str]:
    """Printable text of 1 to `max_bytes` bytes of UTF-8."""

    def parse(value: object, folder: Path) -> str:
        if not isinstance(value, str) or not value.isprintable():
            raise ValueError
        if not 1 <= len(value.encode()) <= max_bytes:
            raise ValueError
        return value

    return Rule(f"printable text of 1 to {max_bytes} bytes", parse)


def file_path() -> Rule[Path | None]:
    """A path of a file in a folder that exists; a relative one starts at the folder of `hal.toml`."""

    def parse(value: object, folder: Path) -> Path:
        if not isinstance(value, str) or not value or "\0" in value:
            raise ValueError
        path = folder / value
        if not path.parent.is_dir() or path.is_dir():
            raise ValueError
        return path

    return Rule("the path of a file in a folder that exists", parse)


def loopback_origin() -> Rule[str]:
    """The origin of a page on this machine, or nothing."""
    form = re.compile(r"(http://127(\.[0-9]{1,3}){3}:[0-9]{1,5})?")

    def parse(value: object, folder: Path) -> str:
        if not isinstance(value, str) or not form.fullmatch(value):
            raise ValueError
        return value

    return Rule("an origin such as http://127.0.0.1:8000, or empty", parse)


def loopback_address() -> Rule[ListenAddress]:
    """`host:port` with a loopback IP address as host; IPv6 in brackets."""

    def parse(value: object, folder: Path) -> ListenAddress:
        if not isinstance(value, str):
            raise ValueError
        host, _, port = value.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
            raise ValueError
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError
        return ListenAddress(host, int(port))

    return Rule('a loopback address with a port, such as "127.0.0.1:0"', parse)


@dataclass(frozen=True, slots=True)
class Option:
    """Stands in a field's annotation: the option's rule, and what it is for."""

    rule: Rule[Any]
    doc: str


@dataclass(frozen=True, slots=True)
class NoOptions:
    """Options of a driver that has none."""


@dataclass(frozen=True, slots=True)
class TableName:
    """Where a table stands, so that an error can say so."""

    file: Path
    table: str
    driver: str

    def error(self, key: str, problem: str) -> ConfigurationError:
        """One line that names file, table, key and problem."""
        return ConfigurationError(f"{self.file}: [{self.table}] {key}: {problem}")


def read_options(options: type[O], table: Mapping[str, object], where: TableName) -> O:
    """Check `table` against the declared options and return them typed.

    Raises ConfigurationError naming file, key and allowed values.
    """
    declared = declared_options(options)
    values: dict[str, object] = {}
    for key, value in table.items():
        if key not in declared:
            known = ", ".join(sorted(declared)) or "none"
            raise where.error(key, f"unknown option; options of driver {where.driver!r}: {known}")
        rule = declared[key].rule
        try:
            values[key] = rule.parse(value, where.file.parent)
        except ValueError:
            instead = "" if rule.is_secret else f", not {value!r}"
            raise where.error(key, f"must be {rule.allowed}{instead}") from None
    for required in fields(cast("Any", options)):
        if required.default is MISSING and required.name not in values:
            rule = declared[required.name].rule
            raise where.error(required.name, f"is required and must be {rule.allowed}")
    return options(**values)


def declared_options(options: type[O]) -> dict[str, Option]:
    """The options that a driver's dataclass declares, by name."""
    hints = get_type_hints(options, include_extras=True)
    return {f.name: hints[f.name].__metadata__[0] for f in fields(cast("Any", options))}
