"""A Python service in several states of health. Usage: service.py MODE [NUMBER...]

It says once a second how much it has lost so far (`memory BYTES`, `threads COUNT`).
"""
import math
import os
import random
import signal
import sys
import threading
import time

MIB = 1 << 20
TICK = 0.1
started = time.monotonic()
held = []


def seconds():
    return time.monotonic() - started


def say(quantity, value):
    os.write(1, f"{quantity} {int(value)}\n".encode())


def block(size):
    """Memory that is in use: every page is written to."""
    return bytearray(os.urandom(64)) * (int(size) // 64)


def objects(size):
    """The same as many small objects."""
    return [{"id": n, "name": f"visitor-{n}"} for n in range(int(size) // 300)]


def every_tick(work):
    """Calls `work` ten times a second."""
    while True:
        work()
        time.sleep(TICK)


def leak(kib_per_second):
    """Objects that stay in a list."""
    lost, said = 0, 0.0

    def work():
        nonlocal lost, said
        held.append(objects(kib_per_second * 1024 * TICK))
        lost += kib_per_second * 1024 * TICK
        if seconds() - said >= 1:
            said = seconds()
            say("memory", lost)

    every_tick(work)


def late_leak(mib, start, kib_per_second):
    """Healthy at its full size until a new version of a request comes."""
    held.append(block(mib * MIB))
    until = seconds() + start
    while seconds() < until:
        objects(500_000)
        time.sleep(TICK)
    leak(kib_per_second)


def staircase(mib, period):
    """Every report that it makes stays in memory: a step each so many seconds."""
    lost = 0
    while True:
        time.sleep(period)
        held.append(block(mib * MIB))
        lost += mib * MIB
        say("memory", lost)


def visitors(kib_each, per_second):
    """A cache by visitor: most come again and again, few are new, fewer and fewer."""
    known = {}
    dice = random.Random(7)

    def work():
        for _ in range(int(per_second * TICK)):
            who = int(dice.paretovariate(0.9))
            if who < 9000 and who not in known:
                known[who] = block(kib_each * 1024)

    every_tick(work)


def long_sawtooth(mib, period):
    """Collects its garbage only every so many seconds."""
    def work():
        if seconds() // period != (seconds() - TICK) // period:
            held.clear()
        held.append(block(mib * MIB * TICK / period))

    every_tick(work)


def connections(most, period, lost_per_minute=0):
    """Clients come and go: descriptors rise and fall. Some are never closed."""
    clients, lost = [], 0

    def work():
        nonlocal lost
        wanted = int(most * (0.5 - 0.5 * math.cos(2 * math.pi * seconds() / period)))
        try:
            while len(clients) < wanted:
                clients.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            # There are no more: the client is turned away.
            pass
        while len(clients) > wanted:
            os.close(clients.pop())
        if lost < int(seconds() * lost_per_minute / 60):
            lost += 1
            held.append(os.open("/dev/null", os.O_RDONLY))
            say("fds", lost)

    every_tick(work)


def thread_pool(most, per_second):
    """Starts a thread for each of the first clients, up to its bound; each has a connection open."""
    forever = threading.Event()
    threading.stack_size(256 * 1024)
    for _ in range(int(most)):
        threading.Thread(target=forever.wait, daemon=True).start()
        held.append(os.open("/dev/null", os.O_RDONLY))
        time.sleep(1 / per_second)
    forever.wait()


def again(mib, life):
    """Loads its data, works, and executes itself anew every so many seconds: the same pid, another memory."""
    for _ in range(30):
        held.append(block(mib * MIB / 30))
        time.sleep(1)
    time.sleep(life - 30)
    os.execv(sys.executable, [sys.executable, *sys.argv])


def batch(mib, period, kept_kib=0):
    """A job every so many seconds: it takes memory for a third of the time and gives it back, or all but a part."""
    lost = 0
    while True:
        parts = []
        for _ in range(20):
            parts.append(block(mib * MIB / 20))
            time.sleep(period / 60)
        del parts
        if kept_kib:
            held.append(objects(kept_kib * 1024))
            lost += kept_kib * 1024
            say("memory", lost)
        time.sleep(period * 2 / 3)


def wave(mib, period):
    """Sessions come and go as over a day."""
    def work():
        share = 0.5 - 0.5 * math.cos(2 * math.pi * seconds() / period)
        wanted = int(share * mib)
        while len(held) < wanted:
            held.append(block(MIB))
        del held[wanted:]

    every_tick(work)


def ramp(mib, length):
    """Loads its data for so many seconds, then works with it."""
    def work():
        wanted = int(mib * min(1.0, seconds() / length))
        while len(held) < wanted:
            held.append(block(MIB))
        objects(200_000)

    every_tick(work)


def threads(per_minute, most):
    """A thread for each connection that is never told of its end."""
    forever = threading.Event()
    count = 0
    threading.stack_size(256 * 1024)
    while True:
        if count < most:
            threading.Thread(target=forever.wait, daemon=True).start()
            count += 1
            say("threads", count)
        time.sleep(60 / per_minute)


def copy_on_write(mib, seconds_each):
    """A child snapshots its parent, as a database does to save itself, while the parent goes on writing."""
    data = block(mib * MIB)
    page = 4096
    while True:
        child = os.fork()
        if child == 0:
            time.sleep(seconds_each)
            os._exit(0)
        pages = len(data) // page
        for nth in range(pages):
            data[nth * page] = nth & 0xFF
            if nth % (pages // 100) == 0:
                time.sleep(seconds_each / 130)
        os.waitpid(child, 0)
        time.sleep(seconds_each / 2)


def parent_leak(kib_per_second, workers):
    """A pool of short-lived workers, each healthy; what leaks is the parent that starts them."""
    lost, running, said = 0, set(), 0.0

    def work():
        nonlocal lost, said
        while len(running) < workers:
            child = os.fork()
            if child == 0:
                own = block((3 + os.getpid() % 5) * MIB)
                time.sleep(5 + os.getpid() % 10)
                os._exit(len(own) % 1)
            running.add(child)
        while (ended := os.waitpid(-1, os.WNOHANG) if running else (0, 0))[0]:
            running.discard(ended[0])
        held.append(block(kib_per_second * 1024 * TICK))
        lost += kib_per_second * 1024 * TICK
        if seconds() - said >= 1:
            said = seconds()
            say("memory", lost)

    every_tick(work)


def pool_leak(kib_per_second, workers):
    """Workers that live for a minute or so; each loads a session file that all of them make longer and nobody cuts."""
    files, running, said = 0.0, {}, 0.0

    def work():
        nonlocal files, said
        files = kib_per_second * 1024 * seconds() / workers
        while len(running) < workers:
            life = 40 + (os.getpid() + 37 * len(running) + int(seconds())) % 50
            child = os.fork()
            if child == 0:
                worker(files, kib_per_second * 1024 / workers, life)
            running[child] = True
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            del running[ended[0]]
        if seconds() - said >= 1:
            said = seconds()
            say("memory", files * workers)

    every_tick(work)


def worker(loaded, per_second, life):
    """One worker of `pool_leak`."""
    mine = [block(2 * MIB + loaded)]
    born = time.monotonic()
    while (age := time.monotonic() - born) < life:
        time.sleep(1)
        mine.append(block(per_second * (time.monotonic() - born - age)))
    os._exit(0)


def pool_healthy(mib, workers):
    """Workers that fill up to a bound within their lives and are replaced one after another."""
    running = set()

    def work():
        while len(running) < workers:
            child = os.fork()
            if child == 0:
                mine = []
                for n in range(60 + os.getpid() % 40):
                    if n < 20:
                        mine.append(block(mib * MIB / 20))
                    time.sleep(1)
                os._exit(0)
            running.add(child)
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            running.discard(ended[0])

    every_tick(work)


def restarted(kib_per_second, life):
    """A supervisor ends its leaking child every so often and starts it anew."""
    while True:
        child = os.fork()
        if child == 0:
            leak(kib_per_second)
        time.sleep(life)
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)


def idle(mib):
    """Has something in memory and does not touch it again."""
    held.append(block(mib * MIB))
    time.sleep(100_000)


if __name__ == "__main__":
    globals()[sys.argv[1]](*map(float, sys.argv[2:]))
