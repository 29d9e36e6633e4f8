"""What all tests share."""

import signal

from hypothesis import settings

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("headgate", deadline=None)
settings.load_profile("headgate")

# Whoever started the tests in the background, or with nohup, has had these ignored, and programs inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
for _ignorable in (signal.SIGHUP, signal.SIGQUIT):
    signal.signal(_ignorable, signal.SIG_DFL)
