"""All checks, and running them at once."""

import asyncio
import logging

from conclaved.bus.room import CheckStatus
from conclaved.service.doctor import device, network
from conclaved.service.doctor.check import Check, Outcome, Surroundings, unknown

log = logging.getLogger(__name__)

DEADLINE_S = 15.0
CHECKS: dict[str, Check] = {
    "clock": device.check_clock,
    "key": device.check_key,
    "certificate": device.check_certificate,
    "trust": device.check_trust,
    "route": network.check_route,
    "dns": network.check_dns,
    "acme": network.check_acme,
    "port-80": network.check_port_80,
    "conference": network.check_conference,
    "hardware": device.check_hardware,
    "voice": device.check_voice,
    "ports": device.check_ports,
    "disk": device.check_disk,
}
"""By the name that it is shown under."""


async def examine(room: Surroundings) -> tuple[CheckStatus, ...]:
    """Look at everything; no longer than `DEADLINE_S`, whatever hangs."""
    outcomes = await asyncio.gather(*(_look(check, room) for check in CHECKS.values()))
    return tuple(
        CheckStatus(name, outcome.state.value, " ".join(outcome.text.split()), outcome.command)
        for name, outcome in zip(CHECKS, outcomes, strict=True)
    )


async def _look(check: Check, room: Surroundings) -> Outcome:
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await check(room)
    except TimeoutError:
        return unknown(f"no answer within {DEADLINE_S:g} s", "conclavectl logs")
    except Exception:  # a task's root: one check's fault must not hide what the others found
        log.exception("%s failed", check.__name__)
        return unknown("the check itself failed", "conclavectl logs")
