"""What the image build writes into the firmware."""

BUILT_AT = 1_795_478_400
"""Seconds since 1970 of this source's release: no clock is believed to be earlier (DESIGN §4)."""
