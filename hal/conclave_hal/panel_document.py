"""A panel's view as plain JSON values, with every stranger's text made safe to show.

The names of the members are those of `PanelView`; enums stand as their values.
"""

from dataclasses import asdict

from conclave_hal.display_text import display_text
from conclave_hal.panel import PanelInvitation, PanelParticipant, PanelRemoved, PanelRequest, PanelView

NO_NAME = "(no name)"


def panel_document(view: PanelView) -> dict[str, object]:
    """The JSON object for `view`. It holds the security code: not for logs."""
    document = asdict(view)
    document["state"] = view.state.value
    document["lock"] = view.lock.value
    for key in ("room", "title", "level", "code_reason", "service", "suite", "sframe_suite"):
        document[key] = display_text(document[key])
    document["participants"] = [_participant(participant) for participant in view.participants]
    document["lobby"] = [_request(request) for request in view.lobby]
    document["minds"] = display_text(view.minds, max_length=400)
    document["missing"] = [display_text(name) or NO_NAME for name in view.missing]
    document["removed"] = [_removed(removed) for removed in view.removed]
    document["news"] = [display_text(line, max_length=400) for line in view.news]
    document["invitations"] = [_invitation(invitation) for invitation in view.invitations]
    if view.incoming is not None:
        document["incoming"] = {
            "title": display_text(view.incoming.title),
            "asked_by": display_text(view.incoming.asked_by),
            "seconds": view.incoming.seconds,
        }
    document["refused"] = display_text(view.refused, max_length=400)
    document["notices"] = [display_text(notice, max_length=400) for notice in view.notices]
    return document


def _participant(participant: PanelParticipant) -> dict[str, object]:
    document = asdict(participant)
    document["name"] = display_text(participant.name) or NO_NAME
    for key in ("role", "vouched_by", "issuer"):
        document[key] = display_text(document[key])
    document["reason"] = display_text(participant.reason, max_length=400)
    return document


def _invitation(invitation: PanelInvitation) -> dict[str, object]:
    document = asdict(invitation)
    document["title"] = display_text(invitation.title)
    document["host"] = display_text(invitation.host) or NO_NAME
    return document


def _removed(removed: PanelRemoved) -> dict[str, object]:
    return {"key_id": removed.key_id, "name": display_text(removed.name)}


def _request(request: PanelRequest) -> dict[str, object]:
    document = asdict(request)
    document["name"] = display_text(request.name) or NO_NAME
    document["reason"] = display_text(request.reason, max_length=400)
    document["obstacle"] = display_text(request.obstacle, max_length=400)
    return document
