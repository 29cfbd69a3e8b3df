"""N sleeping processes that live as long as a `with` block."""

import os
import subprocess
import tempfile
import time

SOURCE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "farm.c")


class Farm:
    """`with Farm(5000):` compiles farm.c, starts it and waits until all processes are up."""

    def __init__(self, count, private_kib=512, shared_kib=1024, files=10):
        self.args = [str(n) for n in (count, private_kib, shared_kib, files)]

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="memtide-farm-")
        program = os.path.join(self.folder.name, "farm")
        subprocess.run([os.environ.get("CC", "cc"), "-O1", "-o", program, SOURCE], check=True)
        self.process = subprocess.Popen([program, *self.args], stdout=subprocess.PIPE, text=True, process_group=0)
        if self.process.stdout.readline() != "ready\n":
            self.__exit__()
            raise SystemExit("the farm did not start: is there memory, and are enough processes allowed (ulimit -u)?")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        # The sleepers die with it, but not at once: the next measurement must not see them. What is dying has no
        # command line any more, but it still is in its process group; where nobody reaps, it stays there for ever.
        end = time.monotonic() + 10
        members = ["pgrep", "-g", str(self.process.pid)]
        while time.monotonic() < end and subprocess.run(members, stdout=subprocess.DEVNULL).returncode == 0:
            time.sleep(0.05)
        self.folder.cleanup()


def processes():
    """How many processes the machine has."""
    return sum(name.isdigit() for name in os.listdir("/proc"))
