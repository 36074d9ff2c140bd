"""What each role may do."""

import pytest

from conclaved.meeting import ROLE_CAPABILITIES, Capability, Role
from conclaved.meeting.capabilities import may, may_send


def test_a_host_may_do_everything() -> None:
    assert ROLE_CAPABILITIES[Role.HOST] == set(Capability)


@pytest.mark.parametrize("role", [Role.MEMBER, Role.GUEST, Role.SERVICE_END])
def test_only_a_host_changes_who_is_in(role: Role) -> None:
    rights = {c for c in Capability if "Send" not in c.value and "Receive" not in c.value}
    rights -= {Capability.SHARE_SCREEN, Capability.VIEW_SHARED_SCREEN, Capability.REMOVE_SELF}
    assert not any(may(role, right) for right in rights)
    assert may(role, Capability.REMOVE_SELF)


def test_a_service_end_listens_and_never_sends() -> None:
    assert {role for role in Role if may_send(role)} == {Role.HOST, Role.MEMBER, Role.GUEST}
    assert may(Role.SERVICE_END, Capability.RECEIVE_AUDIO)
