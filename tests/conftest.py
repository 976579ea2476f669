"What all tests start from."

import os
import signal

# Tests run at the same time as others: threads of their own would wait for each other.
os.environ.setdefault('OMP_NUM_THREADS', '1')

# A shell gives its background jobs an ignored Ctrl-C, which processes hand on; tests press it, so
# they begin with Python's own.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers(config):
    "One worker more for every two cores: a good part of a test's time is waiting for processes."
    cores = os.cpu_count() or 1
    return cores + cores // 2
