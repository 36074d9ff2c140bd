"""The object /org/conclave/Room1: who calls, may they, and which verb or snapshot is meant.

Properties are the fields of the snapshots in `room`, by name: `SecurityCode` is `security_code`. Methods are
in the table METHODS, which is checked against the XML source when the object is made.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from conclaved.bus import errors
from conclaved.bus.change_report import ChangeReport
from conclaved.bus.connection import Call, Caller, Connection, Encoded, encode
from conclaved.bus.errors import BusError, CallError
from conclaved.bus.introspection import OBJECT_PATH, Description, Interface, Method, load, parent_xml
from conclaved.bus.permissions import Permissions
from conclaved.bus.record import DONE, LONGEST_ORIGIN, Record, Recorder, compared, reported, shown_arguments
from conclaved.bus.room import (
    EnrollmentRequest,
    LogQuery,
    MeetingRequest,
    PolicyChange,
    Room,
    RoomError,
    RoomErrorKind,
    Topic,
)

ROOM = "org.conclave.Room1."
PROPERTIES = "org.freedesktop.DBus.Properties"
INTROSPECTABLE = "org.freedesktop.DBus.Introspectable"
PEER = "org.freedesktop.DBus.Peer"
T = TypeVar("T")
STANDARD = (PROPERTIES, INTROSPECTABLE, PEER)
INTRODUCE = (ROOM + "Device", "Introduce")
# More than anybody has connections; the oldest is forgotten first.
MAX_ORIGINS = 256


SNAPSHOTS: dict[Topic, tuple[str, Callable[[Room], Any]]] = {
    Topic.DEVICE: (ROOM + "Device", lambda room: room.device()),
    Topic.IDENTITY: (ROOM + "Identity", lambda room: room.identity()),
    Topic.TRUST: (ROOM + "Trust", lambda room: room.trust()),
    Topic.POLICY: (ROOM + "Policy", lambda room: room.policy()),
    Topic.MEETING: (ROOM + "Meeting", lambda room: room.meeting()),
    Topic.HARDWARE: (ROOM + "Hardware", lambda room: room.hardware()),
    Topic.CONFIG: (ROOM + "Config", lambda room: room.config()),
    Topic.UPDATE: (ROOM + "Update", lambda room: room.updates.status()),
}
TOPIC_OF = {interface: topic for topic, (interface, _) in SNAPSHOTS.items()}


class Options:
    """The trailing a{sv} of a method: every key is taken by name, and one that is left over is an error."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._given = dict(given)

    def take(self, name: str, kind: type[T], default: T) -> T:
        """Return an option. Raises RoomError(INVALID_ARGUMENT) when it is of another type."""
        value = self._given.pop(name, default)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise RoomError(RoomErrorKind.INVALID_ARGUMENT, f"the option {name} is of the wrong type")
        return value

    def take_if_given(self, name: str, kind: type[T]) -> T | None:
        """Return an option, None where it is not given. Raises RoomError(INVALID_ARGUMENT)."""
        return self.take(name, kind, kind()) if name in self._given else None

    def take_strings(self, name: str) -> tuple[str, ...]:
        """Return an option that is an array of strings; empty by default."""
        value = self.take(name, list, [])
        if not all(isinstance(item, str) for item in value):
            raise RoomError(RoomErrorKind.INVALID_ARGUMENT, f"the option {name} is of the wrong type")
        return tuple(value)

    def finish(self) -> None:
        """Raises RoomError(INVALID_ARGUMENT) if an option is left that nobody knows."""
        if self._given:
            unknown = ", ".join(sorted(self._given))
            raise RoomError(RoomErrorKind.INVALID_ARGUMENT, f"unknown options: {unknown}")


async def _enroll(room: Room, domain: str, given: dict[str, Any]) -> None:
    options = Options(given)
    request = EnrollmentRequest(
        domain=domain,
        directory_url=options.take("directory_url", str, ""),
        challenge=options.take("challenge", str, ""),
        is_new_key=options.take("new_key", bool, False),
    )
    options.finish()
    await room.enroll(request)


async def _renew(room: Room, given: dict[str, Any]) -> list[Any]:
    options = Options(given)
    is_forced = options.take("force", bool, False)
    options.finish()
    return [await room.renew(is_forced=is_forced)]


async def _revoke(room: Room, given: dict[str, Any]) -> list[Any]:
    options = Options(given)
    reason = options.take("reason", str, "")
    options.finish()
    return _reported(await room.revoke(reason))


async def _test(room: Room, given: dict[str, Any]) -> list[Any]:
    options = Options(given)
    directory_url = options.take("directory_url", str, "")
    options.finish()
    return [await room.acme.rehearse(directory_url)]


async def _account(room: Room) -> list[Any]:
    return [await room.acme.account()]


async def _roll_account_key(room: Room) -> list[Any]:
    return _reported(await room.acme.roll_account_key())


async def _deactivate_account(room: Room) -> list[Any]:
    return _reported(await room.acme.deactivate_account())


async def _persistent_record(room: Room, domain: str) -> list[Any]:
    return [await room.acme.persistent_record(domain)]


async def _csr(room: Room, domain: str, given: dict[str, Any]) -> list[Any]:
    options = Options(given)
    is_new_key = options.take("new_key", bool, False)
    options.finish()
    return [await room.request_certificate(domain, is_new_key=is_new_key)]


async def _import_chain(room: Room, chain: str, given: dict[str, Any]) -> list[Any]:
    options = Options(given)
    domain, dry_run = options.take("domain", str, ""), options.take("dry_run", bool, False)
    options.finish()
    return _reported(await room.import_chain(chain, domain, dry_run=dry_run))


async def _import_key(room: Room, content: bytes, secret: bytes, given: dict[str, Any]) -> list[Any]:
    options = Options(given)
    domain, dry_run = options.take("domain", str, ""), options.take("dry_run", bool, False)
    options.finish()
    return _reported(await room.import_key(content, secret, domain, dry_run=dry_run))


def _reported(report: ChangeReport) -> list[Any]:
    return [report.changed, list(report.changes)]


def _dry_run(given: dict[str, Any]) -> bool:
    """The only option of a verb, whether it is to change anything. Raises RoomError(INVALID_ARGUMENT)."""
    options = Options(given)
    is_dry_run = options.take("dry_run", bool, False)
    options.finish()
    return is_dry_run


async def _add_anchor(room: Room, pem: str, label: str, kind: str, given: dict[str, Any]) -> list[Any]:
    options = Options(given)
    domains = options.take_strings("domains")
    dry_run = options.take("dry_run", bool, False)
    options.finish()
    return _reported(await room.add_anchor(pem, label, kind, domains, dry_run=dry_run))


async def _remove_anchor(room: Room, label: str, given: dict[str, Any]) -> list[Any]:
    return _reported(await room.remove_anchor(label, dry_run=_dry_run(given)))


async def _doctor(room: Room) -> list[Any]:
    return [list(await room.doctor())]


async def _logs(room: Room, given: dict[str, Any]) -> list[Any]:
    options = Options(given)
    query = LogQuery(
        since=options.take("since", str, ""),
        lines=options.take("lines", int, 200),
        after=options.take("after", str, ""),
        changes_only=options.take("changes_only", bool, False),
    )
    options.finish()
    found = await room.logs(query)
    return [list(found.entries), found.cursor]


async def _versions(room: Room) -> list[Any]:
    return [dict(await room.versions())]


async def _factory_reset(room: Room, confirmation: str, given: dict[str, Any]) -> list[Any]:
    return _reported(await room.factory_reset(confirmation, dry_run=_dry_run(given)))


async def _reboot(room: Room, given: dict[str, Any]) -> list[Any]:
    options = Options(given)
    is_forced, dry_run = options.take("force", bool, False), options.take("dry_run", bool, False)
    options.finish()
    return _reported(await room.reboot(is_forced=is_forced, dry_run=dry_run))


async def _block(room: Room, what: str, given: dict[str, Any]) -> list[Any]:
    return _reported(await room.block(what, dry_run=_dry_run(given)))


async def _unblock(room: Room, what: str, given: dict[str, Any]) -> list[Any]:
    return _reported(await room.unblock(what, dry_run=_dry_run(given)))


async def _add_crl(room: Room, crl: bytes, given: dict[str, Any]) -> list[Any]:
    return _reported(await room.add_crl(bytes(crl), dry_run=_dry_run(given)))


async def _remove_crl(room: Room, anchor: str, given: dict[str, Any]) -> list[Any]:
    return _reported(await room.remove_crl(anchor, dry_run=_dry_run(given)))


async def _set_config(room: Room, values: dict[str, str], given: dict[str, Any]) -> list[Any]:
    return _reported(await room.set_config(values, dry_run=_dry_run(given)))


async def _unset_config(room: Room, keys: list[str], given: dict[str, Any]) -> list[Any]:
    return _reported(await room.unset_config(tuple(keys), dry_run=_dry_run(given)))


async def _apply_config(room: Room, document: str, given: dict[str, Any]) -> list[Any]:
    options = Options(given)
    replace = options.take("replace", bool, False)
    dry_run = options.take("dry_run", bool, False)
    generation = options.take_if_given("generation", int)
    may_lock_out = options.take("may_lock_out", bool, False)
    options.finish()
    return _reported(
        await room.apply_config(
            document, replace=replace, dry_run=dry_run, generation=generation, may_lock_out=may_lock_out
        )
    )


async def _roll_back_config(room: Room, given: dict[str, Any]) -> list[Any]:
    return _reported(await room.roll_back_config(dry_run=_dry_run(given)))


async def _provision(room: Room, file: str, given: dict[str, Any]) -> list[Any]:
    return _reported(await room.provision(file, dry_run=_dry_run(given)))


async def _set_policy(room: Room, given: dict[str, Any]) -> list[Any]:
    options = Options(given)
    change = PolicyChange(
        minimum_level=options.take_if_given("minimum_level", str),
        requires_verified=options.take_if_given("requires_verified", bool),
        allows_service_ends=options.take_if_given("allows_service_ends", bool),
    )
    dry_run = options.take("dry_run", bool, False)
    options.finish()
    return _reported(await room.set_policy(change, dry_run=dry_run))


async def _create(
    room: Room, title: str, level: str, invited: list[str], service: str, given: dict[str, Any]
) -> list[Any]:
    options = Options(given)
    request = MeetingRequest(
        title=title,
        level=level,
        invited=tuple(invited),
        service=service,
        hosts=options.take_strings("hosts"),
        service_ends=options.take_strings("service_ends"),
        is_open=options.take("open", bool, False),
        not_before=options.take("not_before", int, 0),
        not_after=options.take("not_after", int, 0),
    )
    options.finish()
    created = await room.create_meeting(request)
    return [created.link, created.invitation]


async def _list_invitations(room: Room) -> list[Any]:
    return [list(await room.invitations())]


async def _add_invitation(room: Room, link: str, invitation: str, given: dict[str, Any]) -> list[Any]:
    return _reported(await room.add_invitation(link, invitation, dry_run=_dry_run(given)))


async def _remove_invitation(room: Room, what: str, given: dict[str, Any]) -> list[Any]:
    return _reported(await room.remove_invitation(what, dry_run=_dry_run(given)))


async def _clear_tamper(room: Room, given: dict[str, Any]) -> list[Any]:
    return _reported(await room.clear_tamper(dry_run=_dry_run(given)))


async def _test_hardware(room: Room, slot: str, given: dict[str, Any]) -> list[Any]:
    options = Options(given)
    in_meeting = options.take("in_meeting", bool, False)
    options.finish()
    return [list(await room.test_hardware(slot, in_meeting=in_meeting))]


async def _begin_update(room: Room, size: int, given: dict[str, Any]) -> list[Any]:
    Options(given).finish()
    return [await room.updates.begin(size)]


async def _install_update(room: Room, upload: str, given: dict[str, Any]) -> None:
    Options(given).finish()
    await room.updates.install(upload)


async def _list_audits(room: Room) -> list[Any]:
    return [list(await room.list_audits())]


async def _audit(room: Room, which: str) -> list[Any]:
    return [await room.audit(which)]


METHODS: dict[tuple[str, str], Callable[..., Awaitable[list[Any] | None]]] = {
    (ROOM + "Device", "Doctor"): _doctor,
    (ROOM + "Device", "Logs"): _logs,
    (ROOM + "Device", "Versions"): _versions,
    (ROOM + "Device", "FactoryReset"): _factory_reset,
    (ROOM + "Device", "Reboot"): _reboot,
    (ROOM + "Identity", "Enroll"): _enroll,
    (ROOM + "Identity", "Renew"): _renew,
    (ROOM + "Identity", "Revoke"): _revoke,
    (ROOM + "Identity", "Test"): _test,
    (ROOM + "Identity", "Account"): _account,
    (ROOM + "Identity", "RollAccountKey"): _roll_account_key,
    (ROOM + "Identity", "DeactivateAccount"): _deactivate_account,
    (ROOM + "Identity", "PersistentRecord"): _persistent_record,
    (ROOM + "Identity", "Csr"): _csr,
    (ROOM + "Identity", "ImportChain"): _import_chain,
    (ROOM + "Identity", "ImportKey"): _import_key,
    (ROOM + "Trust", "AddAnchor"): _add_anchor,
    (ROOM + "Trust", "RemoveAnchor"): _remove_anchor,
    (ROOM + "Trust", "Block"): _block,
    (ROOM + "Trust", "Unblock"): _unblock,
    (ROOM + "Trust", "AddCrl"): _add_crl,
    (ROOM + "Trust", "RemoveCrl"): _remove_crl,
    (ROOM + "Policy", "Set"): _set_policy,
    (ROOM + "Config", "Set"): _set_config,
    (ROOM + "Config", "Unset"): _unset_config,
    (ROOM + "Config", "Apply"): _apply_config,
    (ROOM + "Config", "RollBack"): _roll_back_config,
    (ROOM + "Config", "Provision"): _provision,
    (ROOM + "Meeting", "Create"): _create,
    (ROOM + "Meeting", "Join"): lambda room, link: room.join_meeting(link),
    (ROOM + "Meeting", "JoinWith"): lambda room, link, invitation: room.join_meeting(link, invitation),
    (ROOM + "Meeting", "ListInvitations"): _list_invitations,
    (ROOM + "Meeting", "AddInvitation"): _add_invitation,
    (ROOM + "Meeting", "RemoveInvitation"): _remove_invitation,
    (ROOM + "Meeting", "Leave"): lambda room: room.leave_meeting(),
    (ROOM + "Meeting", "Admit"): lambda room, request_id: room.admit(request_id),
    (ROOM + "Meeting", "Deny"): lambda room, request_id: room.deny(request_id),
    (ROOM + "Meeting", "Kick"): lambda room, leaf, key_id: room.kick(leaf, key_id),
    (ROOM + "Meeting", "AllowBack"): lambda room, key_id: room.allow_back(key_id),
    (ROOM + "Meeting", "EndForAll"): lambda room: room.end_for_all(),
    (ROOM + "Meeting", "HandOver"): lambda room, leaf, key_id: room.hand_over(leaf, key_id),
    (ROOM + "Meeting", "ListAudits"): _list_audits,
    (ROOM + "Meeting", "Audit"): _audit,
    (ROOM + "Hardware", "Mute"): lambda room, camera, microphone: room.mute(
        camera=camera, microphone=microphone
    ),
    (ROOM + "Hardware", "ClearTamper"): _clear_tamper,
    (ROOM + "Hardware", "Test"): _test_hardware,
    (ROOM + "Update", "Begin"): _begin_update,
    (ROOM + "Update", "Send"): lambda room, upload, offset, data: room.updates.send(
        upload, offset, bytes(data)
    ),
    (ROOM + "Update", "Install"): _install_update,
    (ROOM + "Update", "Abandon"): lambda room, upload: room.updates.abandon(upload),
}


class RoomObject:
    """Answers the calls of one connection, and tells it what has changed."""

    def __init__(self, room: Room, permissions: Permissions, record: Recorder = lambda record: None) -> None:
        self._room = room
        self._permissions = permissions
        self._record = record
        self._origins: dict[str, str] = {}
        self._description = load()
        self._encoded: dict[Topic, tuple[Any, dict[str, Encoded]]] = {}
        self._told: dict[Topic, Any] = {}
        _check(self._description)

    async def answer(self, connection: Connection, call: Call) -> tuple[str, list[Any]]:
        """Answer a call, or raise RoomError or CallError."""
        if call.path != OBJECT_PATH:
            return self._answer_above(call)
        interface, member = self._find(call)
        method = self._description.interfaces[interface].methods[member]
        if call.signature != method.takes:
            raise CallError(errors.INVALID_ARGS, f"{member} does not take the signature {call.signature!r}")
        if interface == PEER:
            return "", []
        if interface == INTROSPECTABLE:
            return "s", [self._description.xml]
        if interface == PROPERTIES:
            return await self._answer_properties(connection, member, call)
        if method.is_reading or _is_dry_run(call):
            result = await self._use(await self._caller(connection, call), interface, member, call)
        else:
            result = await self._use_on_record(connection, interface, method, call)
        return method.returns, [] if result is None else result

    def remember(self) -> None:
        """Take the present state as told: later ones are compared with it."""
        for topic, (_, snapshot) in SNAPSHOTS.items():
            self._told[topic] = snapshot(self._room)

    def tell(self, connection: Connection, topics: frozenset[Topic]) -> None:
        """Emit PropertiesChanged for what is new since the last time, and for nothing else."""
        for topic in sorted(topics, key=lambda topic: topic.value):
            name, take_snapshot = SNAPSHOTS[topic]
            old, new = self._told.get(topic), take_snapshot(self._room)
            self._told[topic] = new
            encoded = self._properties(topic, new)
            changed = {
                p.name: encoded[p.name]
                for p in self._description.interfaces[name].properties.values()
                if p.is_signalled and (old is None or _value(old, p.name) != _value(new, p.name))
            }
            if changed:
                connection.emit(OBJECT_PATH, PROPERTIES, "PropertiesChanged", "sa{sv}as", [name, changed, []])

    async def _use(self, caller: Caller, interface: str, member: str, call: Call) -> list[Any] | None:
        if not self._permissions.may_write(caller):
            raise _not_permitted("change anything in this room", "conclave-admin")
        if (interface, member) == INTRODUCE:
            self._introduce(call)
            return None
        self._refuse_ended(call)
        return await METHODS[interface, member](self._room, *call.arguments)

    async def _use_on_record(
        self, connection: Connection, interface: str, method: Method, call: Call
    ) -> list[Any] | None:
        """Use a verb, and leave exactly one record of it, however it ends."""
        name = interface.removeprefix(ROOM)
        take_snapshot = SNAPSHOTS[TOPIC_OF[interface]][1]
        before = take_snapshot(self._room)
        uid: int | None = None
        outcome, reason = "Failed", "the request failed inside the device"
        result: list[Any] | None = None
        try:
            caller = await self._caller(connection, call)
            uid = caller.uid
            result = await self._use(caller, interface, method.name, call)
            outcome, reason = DONE, ""
        except RoomError as error:
            outcome, reason = error.kind.value, str(error)
            raise
        finally:
            changed: bool | None
            told = reported(result)
            if told is not None:
                changed, changes = told
            else:
                changes = compared(name, before, take_snapshot(self._room))
                changed = True if changes else None if outcome == DONE else False
            self._record(
                Record(
                    uid=uid,
                    origin=self._origins.get(call.sender, ""),
                    verb=f"{name}.{method.name}",
                    arguments=shown_arguments(method.arguments, call.arguments),
                    outcome=outcome,
                    reason=reason,
                    changed=changed,
                    changes=changes,
                )
            )
        return result

    def _refuse_ended(self, call: Call) -> None:
        if self._room.has_ended(self._origins.get(call.sender, "")):
            raise RoomError(
                RoomErrorKind.NOT_PERMITTED,
                "the key by which this session came lets nobody in any more",
                hint="log in again, with a key that does",
            )

    def _introduce(self, call: Call) -> None:
        (origin,) = call.arguments
        self._origins.pop(call.sender, None)
        while len(self._origins) >= MAX_ORIGINS:
            self._origins.pop(next(iter(self._origins)))
        self._origins[call.sender] = origin[:LONGEST_ORIGIN]

    def _answer_above(self, call: Call) -> tuple[str, list[Any]]:
        if call.member == "Ping" and call.interface in ("", PEER):
            return "", []
        xml = parent_xml(call.path)
        if xml is None:
            raise CallError(errors.UNKNOWN_OBJECT, f"there is no object {call.path}")
        if call.member != "Introspect" or call.interface not in ("", INTROSPECTABLE):
            raise CallError(errors.UNKNOWN_METHOD, f"the object {call.path} has no method {call.member}")
        return "s", [xml]

    def _find(self, call: Call) -> tuple[str, str]:
        """The interface and method meant; a call may leave the interface out."""
        if call.interface and call.interface not in self._description.interfaces:
            raise CallError(errors.UNKNOWN_INTERFACE, f"there is no interface {call.interface}")
        candidates = [call.interface] if call.interface else list(self._description.interfaces)
        for name in candidates:
            if call.member in self._description.interfaces[name].methods:
                return name, call.member
        raise CallError(errors.UNKNOWN_METHOD, f"there is no method {call.member}")

    async def _answer_properties(
        self, connection: Connection, member: str, call: Call
    ) -> tuple[str, list[Any]]:
        if not self._permissions.may_read(await self._caller(connection, call)):
            raise _not_permitted("see the state of this room", "conclave")
        self._refuse_ended(call)
        name = call.arguments[0]
        if name in STANDARD and member == "GetAll":
            return "a{sv}", [{}]
        if name not in TOPIC_OF:
            raise CallError(errors.UNKNOWN_INTERFACE, f"there is no interface {name!r} with properties")
        topic = TOPIC_OF[name]
        if member == "GetAll":
            return "a{sv}", [self._properties(topic, SNAPSHOTS[topic][1](self._room))]
        wanted = call.arguments[1]
        if wanted not in self._description.interfaces[name].properties:
            raise CallError(errors.UNKNOWN_PROPERTY, f"{name} has no property {wanted!r}")
        if member == "Set":
            raise CallError(errors.PROPERTY_READ_ONLY, f"{wanted} is set by a method, not as a property")
        return "v", [self._properties(topic, SNAPSHOTS[topic][1](self._room))[wanted]]

    def _properties(self, topic: Topic, snapshot: Any) -> dict[str, Encoded]:
        """Encoded once a snapshot: a panel, a CLI and a monitor may ask many times between two changes."""
        known = self._encoded.get(topic)
        if known is not None and known[0] == snapshot:
            return known[1]
        interface = self._description.interfaces[SNAPSHOTS[topic][0]]
        encoded = {
            p.name: encode(p.signature, _value(snapshot, p.name)) for p in interface.properties.values()
        }
        self._encoded[topic] = snapshot, encoded
        return encoded

    async def _caller(self, connection: Connection, call: Call) -> Caller:
        try:
            return await connection.caller(call.sender)
        except BusError as error:
            raise RoomError(RoomErrorKind.NOT_PERMITTED, "the bus does not say who the caller is") from error


def _is_dry_run(call: Call) -> bool:
    options = call.arguments[-1] if call.arguments else None
    return isinstance(options, dict) and options.get("dry_run") is True


def _not_permitted(what: str, group: str) -> RoomError:
    return RoomError(
        RoomErrorKind.NOT_PERMITTED,
        f"this user may not {what}",
        hint=f"use root, or a user in the group {group}",
    )


def _field(property_name: str) -> str:
    """SecurityCode -> security_code."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", property_name).lower()


def _value(snapshot: Any, property_name: str) -> Any:
    return getattr(snapshot, _field(property_name))


def _check(description: Description) -> None:
    """Raises BusError unless every method of the source has its verb here, and the other way round."""
    ours: dict[str, Interface] = {n: i for n, i in description.interfaces.items() if n not in STANDARD}
    declared = {(name, method) for name, interface in ours.items() for method in interface.methods}
    known = {*METHODS, INTRODUCE}
    if declared != known or set(ours) != set(TOPIC_OF):
        raise BusError(f"the interface's source and the code differ: {declared ^ known}")
