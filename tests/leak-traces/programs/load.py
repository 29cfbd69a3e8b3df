"""Load from outside, bounded. Usage: load.py redis PORT KIB_PER_SECOND [SECONDS] | load.py http PORT RATE

`redis` sets ever new keys, which expire after so many seconds or never, and says how many bytes it has sent (`memory
BYTES`); `http` gets the same pages over and over.
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


def redis(port, kib_per_second, expire=0):
    """Keys that nobody deletes."""
    expiry = b"$2\r\nEX\r\n$%d\r\n%d\r\n" % (len(str(int(expire))), expire) if expire else b""
    words = 5 if expire else 3
    server = connect(port)
    replies = server.makefile("rb")
    value, sent, number, said = os.urandom(1000), 0, 0, time.monotonic()
    while True:
        for _ in range(int(kib_per_second * TICK)):
            key = b"session:%012d" % number
            server.sendall(
                b"*%d\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (words, len(key), key, len(value), value) + expiry
            )
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
        try:
            client.request("GET", f"/{number % 20}.html")
            client.getresponse().read()
        except (OSError, http.client.HTTPException):
            # A reloaded server closes what it has; the next request connects anew.
            client.close()
        number += 1
        time.sleep(1 / rate)


if __name__ == "__main__":
    {"redis": redis, "http": web}[sys.argv[1]](int(sys.argv[2]), *map(float, sys.argv[3:]))
