"""Views as a room shows them, for tests and pictures."""

from dataclasses import replace

from conclave_hal.panel import (
    Lock,
    MeetingState,
    PanelIncoming,
    PanelInvitation,
    PanelParticipant,
    PanelRemoved,
    PanelRequest,
    PanelView,
)

CODE = "48217 09356 71140 62893 30518 95427"


def room(
    name: str, leaf: int, *, is_self: bool = False, role: str = "member", vouched_by: str = ""
) -> PanelParticipant:
    return PanelParticipant(
        name=name,
        assurance="verified",
        role=role,
        is_self=is_self,
        is_heard=True,
        vouched_by=vouched_by or "the invitation",
        reason="The certificate chain ends in an authority that this room's administrator trusts.",
        issuer="Pebble Root CA 3a1f77",
        leaf=leaf,
        is_expected=True,
    )


GUEST = PanelParticipant(
    name="Ana Lima",
    assurance="provider",
    role="guest",
    is_heard=False,
    vouched_by="north.rooms.example",
    reason="Only the conference provider vouches for this name.",
    issuer="Provider CA",
    leaf=5,
)
WAITING = PanelRequest("r-17", "tomas@partner.example", "provider", "only the provider vouches for the name")

MEETING = PanelView(
    serial=7,
    room="north.rooms.example",
    state=MeetingState.IN_MEETING,
    lock=Lock.LOCKED,
    title="Quarterly review",
    level="standard",
    participants=(
        room("north.rooms.example", 0, is_self=True, role="host"),
        replace(room("south.rooms.example", 1), is_compared=True),
        room("harbour.rooms.example", 2),
        GUEST,
    ),
    lobby=(WAITING,),
    security_code=CODE,
    epoch=9,
    code_epoch=7,
    code_reason="Ana Lima (guest) joined",
    code_time=1_900_000_000,
    suite="MLS_128_DHKEMP256_AES128GCM_SHA256_P256",
    sframe_suite="AES_128_GCM_SHA256_128",
    shutter="passing",
    mute_switch="passing",
    is_host=True,
    missing=("lighthouse.rooms.example",),
    removed=(
        PanelRemoved("00112233445566aa", "rude@elsewhere.example"),
        PanelRemoved("ffeeddccbbaa9988", ""),
    ),
    service="wss://conference.example:8443",
)
VERIFIED = replace(
    MEETING, participants=MEETING.participants[:3], lobby=(), code_reason="harbour.rooms.example joined"
)
ALONE = replace(VERIFIED, participants=MEETING.participants[:1], security_code="", code_reason="")
SERVED = replace(
    MEETING,
    participants=(
        *MEETING.participants,
        replace(room("recorder.provider.example", 6, role="service end"), assurance="provider"),
    ),
)
MINDING = replace(
    MEETING,
    level="locked",
    lobby=(),
    minds="the certificate of harbour.rooms.example has expired",
    leaving_in_s=12,
)
BROKEN = replace(
    MEETING,
    lock=Lock.BROKEN,
    lobby=(),
    notices=("This room is behind the group: it has stopped sending and waits for the missing messages.",),
)
CATCHING_UP = replace(MEETING, lock=Lock.OPENING, lobby=(), notices=("Catching up with the group.",))
IDLE = PanelView(serial=1, room="north.rooms.example", shutter="blocking", mute_switch="passing")
UNENROLLED = PanelView(serial=1, room="")
JOINING = replace(IDLE, state=MeetingState.JOINING, lock=Lock.OPENING, title="Quarterly review")
CALLED = replace(JOINING, incoming=PanelIncoming("Quarterly review", "an admin", 8), shutter="passing")
INVITED = replace(
    IDLE,
    shutter="passing",
    invitations=(
        PanelInvitation(
            "1f", "Quarterly review", "south.rooms.example", 1_900_000_000, 1_900_003_600, "14:00-15:00", True
        ),
        PanelInvitation("2e", "Weekly", "ana@example.com", 1_900_007_200, 1_900_009_000, "16:00-16:30"),
    ),
)
REFUSED = replace(
    IDLE,
    state=MeetingState.LEFT,
    title="Quarterly review",
    refused="this room's policy has become: locked meetings only",
)
ALARMED = replace(MEETING, lobby=(), tamper="tripped", certificate_days=3)
LOBBY = replace(
    IDLE, state=MeetingState.LOBBY, lock=Lock.OPENING, title="Quarterly review", shutter="passing"
)
LEFT = replace(
    IDLE, state=MeetingState.LEFT, title="Quarterly review", notices=("The meeting was closed by its host.",)
)
HOSTILE = replace(
    MEETING,
    title="\u202eReview\u202c <b>bold</b> " + "very long title " * 12,
    participants=(
        room(
            "a-rather-long-name-of-a-meeting-room-on-the-third-floor.buildings.rooms.example", 0, is_self=True
        ),
        replace(GUEST, name="<script>document.title='owned'</script>"),
        replace(GUEST, name="north.rooms.example \u2713 verified \u202emoc.elpmaxe"),
        replace(GUEST, name="Z\u0351\u0352\u0353\u0354\u0355\u0356\u0357\u0358algo " * 9),
        replace(GUEST, name="مريم السيد"),
        replace(GUEST, name="\u200b\u2800"),
        *(room(f"room-{number}.rooms.example", 10 + number) for number in range(1, 12)),
    ),
    lobby=(WAITING, replace(WAITING, request_id="r-18", name="x" * 300, assurance="unknown")),
    code_reason="<script>document.title='owned'</script>, guest, joined",
    missing=("<b>bold</b>", "\u202emoc.elpmaxe"),
    removed=(PanelRemoved("0011223344556677", "<b>rude</b>"),),
    minds="<b>somebody</b> is not verified",
    leaving_in_s=30,
    camera_muted=True,
    shutter="unknown",
    mute_switch="blocking",
)
