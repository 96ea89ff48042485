"""What all tests need of the process that they run in."""

from __future__ import annotations

import signal

# A build that runs in the background ignores SIGINT, and what it starts would ignore it, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
