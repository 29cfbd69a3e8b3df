"""Load from outside, bounded. Usage: load.py redis PORT KIB_PER_SECOND | load.py http PORT REQUESTS_PER_SECOND

`redis` sets ever new keys and says how many bytes it has sent (`memory BYTES`); `http` gets the same pages over and over.
"""
import http.client
import os
import socket
import sys
import time

TICK = 0.1


def connect(port):
    """Waits until the server listens."""
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            time.sleep(TICK)


def redis(port, kib_per_second):
    """Keys that nobody deletes."""
    server = connect(port)
    replies = server.makefile("rb")
    value, sent, number, said = os.urandom(1000), 0, 0, time.monotonic()
    while True:
        for _ in range(int(kib_per_second * TICK)):
            key = b"session:%012d" % number
            server.sendall(b"*3\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(key), key, len(value), value))
            replies.readline()
            number += 1
            sent += len(value) + len(key)
        if time.monotonic() - said >= 1:
            said = time.monotonic()
            os.write(1, b"memory %d\n" % sent)
        time.sleep(TICK)


def web(port, rate):
    """Pages of several sizes."""
    connect(port).close()
    client = http.client.HTTPConnection("127.0.0.1", port)
    number = 0
    while True:
        client.request("GET", f"/{number % 20}.html")
        client.getresponse().read()
        number += 1
        time.sleep(1 / rate)


if __name__ == "__main__":
    {"redis": redis, "http": web}[sys.argv[1]](int(sys.argv[2]), float(sys.argv[3]))
