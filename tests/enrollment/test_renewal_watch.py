"""The renewal rules with a real CA behind a proxy that has a window to give."""

from pathlib import Path

import pytest

from conclave_provisioning.enrollment import (
    CaTroubleError,
    ChallengeUnreachableError,
    Enrollment,
    RateLimitedError,
)
from conclave_provisioning.enrollment.renewal_watch import RenewalWatch
from tests.enrollment.conftest import MakeSettings
from tests.enrollment.faults import Fault, FaultyCa
from tests.enrollment.signers import KeyInMemory

pytestmark = pytest.mark.asyncio(loop_scope="session")
WINDOW: dict[str, object] = {
    "suggestedWindow": {"start": "2027-01-02T00:00:00Z", "end": "2027-01-02T01:00:00Z"},
    "explanationURL": "https://ca.example/why",
}
START = 1_798_848_000.0


class Watch(RenewalWatch):
    """A watch with a clock that stands still."""

    def __init__(self, reach: MakeSettings, folder: Path, now: float, chance: float = 0.5) -> None:
        super().__init__(reach(), folder, clock=lambda: self.now, chance=lambda: chance)
        self.now = now


async def issue(reach: MakeSettings, folder: Path) -> tuple[bytes, float]:
    certificate = await Enrollment(reach(), folder / "issued").enroll("room.example.com", KeyInMemory())
    return certificate.chain[0], float(certificate.not_before)


async def test_the_cas_window_is_asked_for_and_kept_over_a_restart(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path
) -> None:
    ca.renewal_info, ca.renewal_headers = WINDOW, {"Retry-After": "7200"}
    leaf, begin = await issue(reach, tmp_path)
    watch = Watch(reach, tmp_path, begin)
    plan = await watch.look(leaf)
    assert (plan.renew_at, plan.ask_at) == (START + 1800, begin + 7200)
    again = Watch(reach, tmp_path, begin + 60, chance=0.9)
    assert await again.look(leaf) == plan
    assert ca.count("/renewal-info") == 1
    assert await again.explanation_url() == "https://ca.example/why"


async def test_a_window_that_moved_is_seen_at_the_next_question(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path
) -> None:
    ca.renewal_info = WINDOW
    leaf, begin = await issue(reach, tmp_path)
    watch = Watch(reach, tmp_path, begin)
    await watch.look(leaf)
    ca.renewal_info = {"suggestedWindow": {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T01:00:00Z"}}
    watch.now = begin + 21600
    assert (await watch.look(leaf)).renew_at <= watch.now


async def test_a_ca_that_cannot_be_asked_leaves_the_usual_moment(
    ca: FaultyCa, reach: MakeSettings, tmp_path: Path
) -> None:
    leaf, begin = await issue(reach, tmp_path)
    ca.fail("/dir", Fault(drops="before"))
    plan = await Watch(reach, tmp_path, begin, chance=0.0).look(leaf)
    assert plan.renew_at == pytest.approx(begin + 47 * 86400 * 2 / 3, abs=2)
    assert plan.ask_at == begin + 60


async def test_a_ca_without_windows_leaves_the_usual_moment(reach: MakeSettings, tmp_path: Path) -> None:
    leaf, begin = await issue(reach, tmp_path)
    plan = await Watch(reach, tmp_path, begin, chance=0.0).look(leaf)
    assert (plan.reason, plan.ask_at) == ("enough of its life is over", begin + 21600)


async def test_a_failure_postpones_the_next_attempt_over_a_restart(
    reach: MakeSettings, tmp_path: Path
) -> None:
    leaf, begin = await issue(reach, tmp_path)
    now = begin + 40 * 86400
    await Watch(reach, tmp_path, begin).look(leaf)
    late = Watch(reach, tmp_path, now, chance=0.0)
    assert (await late.look(leaf)).renew_at <= now
    assert await late.failed(leaf, CaTroubleError("the order", "serverInternal", "")) == now + 300
    assert (await Watch(reach, tmp_path, now + 1).look(leaf)).renew_at == now + 300
    limited = RateLimitedError("the order", "", 7200.0)
    assert await late.failed(leaf, limited) == now + 7200


async def test_a_device_without_a_certificate_waits_too(reach: MakeSettings, tmp_path: Path) -> None:
    watch = Watch(reach, tmp_path, START, chance=0.0)
    unreachable = ChallengeUnreachableError("the domain", "connection", "")
    waits = [await watch.failed(None, unreachable) for _ in range(5)]
    assert waits == [START + wait for wait in (300, 600, 1200, 3600, 4800)]
    assert await Watch(reach, tmp_path, START).not_before() == START + 4800
