"""Reads the API's source, `org.conclave.Room1.xml`: names and signatures come from there alone."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from importlib import resources

from conclaved.bus.errors import BusError

OBJECT_PATH = "/org/conclave/Room1"
BUS_NAME = "org.conclave.Room1"
SOURCE = "org.conclave.Room1.xml"
EMITS_CHANGED = "org.freedesktop.DBus.Property.EmitsChangedSignal"
READS = "org.conclave.Room1.Reads"


@dataclass(frozen=True, slots=True)
class Property:
    """A readable property."""

    name: str
    signature: str
    is_signalled: bool
    """Whether PropertiesChanged tells of it."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method: the signatures of what goes in and what comes out."""

    name: str
    takes: str
    returns: str
    arguments: tuple[str, ...] = ()
    """The names of those that go in."""
    is_reading: bool = False
    """Whether it changes nothing, by its annotation: everything else is put on record."""


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface of the object."""

    name: str
    methods: dict[str, Method]
    properties: dict[str, Property]


@dataclass(frozen=True, slots=True)
class Description:
    """The whole object."""

    xml: str
    """What Introspect answers: the source without its comments."""
    interfaces: dict[str, Interface]


def load() -> Description:
    """Return the description in the source file. Raises BusError if that is damaged."""
    source = resources.files(__package__).joinpath(SOURCE).read_text("utf-8")
    try:
        # Our own file, never a stranger's.
        root = ET.fromstring(source)  # noqa: S314
        interfaces = {node.attrib["name"]: _interface(node) for node in root.findall("interface")}
    except (ET.ParseError, KeyError) as error:
        raise BusError(f"{SOURCE} is damaged: {error}") from error
    ET.indent(root)
    return Description(ET.tostring(root, "unicode"), interfaces)


def parent_xml(path: str) -> str | None:
    """Return the introspection of a path above the object, or None if it is not above it."""
    prefix = path.rstrip("/") + "/"
    if not OBJECT_PATH.startswith(prefix):
        return None
    child = OBJECT_PATH.removeprefix(prefix).split("/")[0]
    return f'<node><node name="{child}"/></node>'


def _interface(node: ET.Element) -> Interface:
    methods = {}
    for element in node.findall("method"):
        name = element.attrib["name"]
        arguments = element.findall("arg")
        takes = "".join(a.attrib["type"] for a in arguments if a.attrib["direction"] == "in")
        returns = "".join(a.attrib["type"] for a in arguments if a.attrib["direction"] == "out")
        names = tuple(a.attrib["name"] for a in arguments if a.attrib["direction"] == "in")
        methods[name] = Method(name, takes, returns, names, _notes(element).get(READS) == "true")
    properties = {}
    for element in node.findall("property"):
        name = element.attrib["name"]
        is_signalled = _notes(element).get(EMITS_CHANGED) != "false"
        properties[name] = Property(name, element.attrib["type"], is_signalled)
    return Interface(node.attrib["name"], methods, properties)


def _notes(element: ET.Element) -> dict[str, str]:
    return {a.attrib["name"]: a.attrib["value"] for a in element.findall("annotation")}
