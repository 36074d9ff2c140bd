"""What holds for every test of the project."""

from hypothesis import HealthCheck, settings

# A busy machine must fail no test: neither an example nor the making of one is timed.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
