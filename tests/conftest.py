"""What all tests need of the process that they run in."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

# A slow machine is no fault of what is tested.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# A build that runs in the background ignores SIGINT, and what it starts would ignore it, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
