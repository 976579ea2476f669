"What all tests start from."

import signal

# A shell gives its background jobs an ignored Ctrl-C, which processes hand on; tests press it, so
# they begin with Python's own.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
