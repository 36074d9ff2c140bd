"""The two ends of the CEC line hear each other, by v4l-utils alone."""

from tests.vm.guest.cec_line import POWER_STATUS, output_adapter, television
from tests.vm.guest.programs import output_of


def test_a_display_answers_that_it_is_on() -> None:
    with television():
        answer = output_of("cec-ctl", "-d", str(output_adapter()), "--to", "0", POWER_STATUS)
    assert "pwr-state: on" in answer
