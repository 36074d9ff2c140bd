"""What a device tells of itself, as tests ask for it again and again."""

from typing import Any

from tests.image.admin import Admin

RESTARTS = "systemctl show -P NRestarts conclaved.service"
"""How often the daemon was started anew without anybody asking, for root's console."""

NOBODY_THERE = ["camera_control"]
"""What the device lacks while nothing is at the far end of its serial line."""


def not_ready(status: Any) -> list[str]:
    """The slots for hardware, in order, whose device is not ready."""
    devices = status["hardware"]["devices"]
    return [device["slot"] for device in devices if device["health"] not in ("ready", "none")]


async def problems(admin: Admin) -> str:
    """Everything that `status` finds wrong, in one line."""
    return " / ".join(problem["text"] for problem in (await admin.ctl("status"))["problems"])
