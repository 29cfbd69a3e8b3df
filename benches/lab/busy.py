"""N processes that take and give back memory all the time, which live as long as a `with` block."""

import subprocess

# A block of up to 200 KB comes, or some go, once or twice a second.
PROGRAM = """
srand(shift);
while (1) {
    if (rand() < 0.6) { push @kept, "x" x int(rand(200_000)) } else { splice @kept, 0, int(rand(@kept / 2 + 1)) }
    select undef, undef, undef, 0.5 + rand(1.5);
}
"""


class Busy:
    """`with Busy(300):` starts Perl so many times."""

    def __init__(self, count):
        self.count = count

    def __enter__(self):
        self.running = [subprocess.Popen(["perl", "-e", PROGRAM, str(seed)]) for seed in range(self.count)]
        return self

    def __exit__(self, *_):
        for process in self.running:
            process.kill()
        for process in self.running:
            process.wait()
