"""What a device tells of itself, as tests ask for it again and again."""

from tests.image.admin import Admin

RESTARTS = "systemctl show -P NRestarts conclaved.service"
"""How often the daemon was started anew without anybody asking, for root's console."""


async def problems(admin: Admin) -> str:
    """Everything that `status` finds wrong, in one line."""
    return " / ".join(problem["text"] for problem in (await admin.ctl("status"))["problems"])
