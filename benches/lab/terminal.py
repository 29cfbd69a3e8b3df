"""A program in a real pseudo-terminal, and what it costs."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

# What a terminal answers to the questions that programs ask at their start.
ANSWERS = [
    (re.compile(rb"\x1b\[6n"), b"\x1b[1;1R"),
    (re.compile(rb"\x1b\[0?c"), b"\x1b[?62;22c"),
    (re.compile(rb"\x1b\[>0?c"), b"\x1b[>1;10;0c"),
]


class Terminal:
    """One program in one pty. Use it in a `with` block: the program is ended with it."""

    def __init__(self, argv, columns, rows, env=None):
        self.started = time.monotonic()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
                os.execvpe(argv[0], argv, {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "XDG_STATE_HOME": "/dev/null", **(env or {})})
            except OSError as error:
                os.write(2, f"{argv[0]}: {error}\n".encode())
            os._exit(127)
        self.sent = 0
        self.tail = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass
            if self._reaped(1.0):
                break
        os.close(self.fd)

    def _reaped(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(0.02)
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                return True
        return False

    def read(self, timeout):
        """What the program sends within `timeout` seconds, at most one read; b"" if nothing."""
        try:
            if not select.select([self.fd], [], [], timeout)[0]:
                return b""
            data = os.read(self.fd, 1 << 16)
        except OSError:
            return b""
        self.sent += len(data)
        for question, answer in ANSWERS:
            if question.search(data):
                os.write(self.fd, answer)
        self.tail = (self.tail + data)[-65536:]
        return data

    def drain(self, seconds):
        """Reads for this long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.read(left)

    def write(self, data):
        """Presses keys."""
        os.write(self.fd, data)

    def cpu_seconds(self):
        """CPU time of all threads, from the scheduler's own nanosecond counters."""
        total = 0
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{task}/schedstat") as file:
                total += int(file.read().split()[0])
        return total / 1e9

    def peak_mib(self):
        """Peak RSS in MiB."""
        with open(f"/proc/{self.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024
