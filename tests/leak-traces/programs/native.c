/* A C program in several states of health. Usage: native MODE [NUMBER...]
 * It says once a second how much it has lost so far: `memory BYTES`, `fds COUNT`, `shmem BYTES`, `kernel BYTES`. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MIB (1L << 20)
static const struct timespec TICK = {0, 100 * 1000 * 1000};
static volatile sig_atomic_t ended;

static void end(int signal) { (void)signal; ended = 1; }

static void say(const char *quantity, long value) {
    printf("%s %ld\n", quantity, value);
    fflush(stdout);
}

/* KiB a second, in blocks of the sizes that programs ask for. */
static void leak(long kib) {
    long lost = 0;
    for (long tick = 0; !ended; tick++) {
        for (long tenth = 0; tenth < kib * 1024 / 10;) {
            long size = 48 + rand() % 2000;
            memset(malloc(size), 1, size);
            tenth += size;
            lost += size;
        }
        if (tick % 10 == 9) say("memory", lost);
        nanosleep(&TICK, NULL);
    }
}

/* A descriptor every so many milliseconds. */
static void fds(long ms) {
    for (long count = 0; !ended; count++) {
        if (open("/dev/null", O_RDONLY) < 0 && errno == EMFILE) count--;
        say("fds", count + 1);
        usleep(ms * 1000);
    }
}

/* Blocks of many sizes come and go at random; what is in use stays the same, what malloc holds rises to a plateau. */
static void fragment(long mib) {
    long slots = mib * MIB / 1024, used = 0;
    char **slot = calloc(slots, sizeof *slot);
    for (long tick = 0; !ended; tick++) {
        long turns = slots / 300;
        for (long n = 0; n < turns; n++) {
            long at = rand() % slots;
            if (slot[at]) { free(slot[at]); slot[at] = NULL; used--; }
            else if (used < slots / 2) {
                long size = 16 + rand() % (tick % 600 < 300 ? 1000 : 3000);
                slot[at] = memset(malloc(size), 1, size);
                used++;
            }
        }
        nanosleep(&TICK, NULL);
    }
}

/* Reads a growing file through a mapping: MiB a second, up to so many. The pages are cache. */
static void map(const char *path, long rate, long most) {
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    char *block = memset(malloc(MIB), 1, MIB);
    long sum = 0;
    unlink(path);
    for (long at = 0; !ended; usleep(1000000 / rate)) {
        if (at == most) continue;
        if (write(file, block, MIB) != MIB) exit(1);
        char *mapped = mmap(NULL, MIB, PROT_READ, MAP_SHARED, file, at * MIB);
        for (long page = 0; page < MIB; page += 4096) sum += mapped[page];
        at++;
    }
    exit(sum == 0);
}

/* A file in a tmpfs that grows by KiB a second. */
static void tmpfs(const char *path, long kib) {
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    char *block = memset(malloc(kib * 100), 1, kib * 100);
    for (long tick = 1; !ended; tick++) {
        if (write(file, block, kib * 1024 / 10) < 0) exit(1);
        if (tick % 10 == 0) say("shmem", tick * (kib * 1024 / 10));
        nanosleep(&TICK, NULL);
    }
    unlink(path);
}

/* System V segments of KiB each, one a second, which nobody removes while it runs. */
static void sysv(long kib) {
    static int ids[100000];
    long count = 0;
    for (; !ended && count < 100000; sleep(1)) {
        ids[count] = shmget(IPC_PRIVATE, kib * 1024, IPC_CREAT | 0600);
        if (ids[count] < 0) exit(1);
        void *at = shmat(ids[count++], NULL, 0);
        memset(at, 1, kib * 1024);
        shmdt(at);
        say("shmem", count * kib * 1024);
    }
    while (count-- > 0) shmctl(ids[count], IPC_RMID, NULL);
}

/* Semaphore sets, so many a second: kernel memory that can't be given back and that is no process's. */
static void semaphores(long rate) {
    static int ids[32000];
    long count = 0;
    for (long tick = 0; !ended; tick++) {
        for (long n = 0; n < rate / 10 && count < 31900; n++) {
            int id = semget(IPC_PRIVATE, 120, IPC_CREAT | 0600);
            if (id >= 0) ids[count++] = id;
        }
        /* 64 bytes a semaphore (struct sem), in a slab of 8 KiB. */
        if (tick % 10 == 9) say("kernel", count * 8192);
        nanosleep(&TICK, NULL);
    }
    while (count-- > 0) semctl(ids[count], 0, IPC_RMID);
}

/* Looks for files that are not there, and makes some: names and inodes that the kernel keeps while there is room. */
static void dentries(const char *folder, long rate) {
    char path[4096];
    struct stat found;
    for (long nth = 0; !ended;) {
        for (long n = 0; n < rate / 10; n++, nth++) {
            snprintf(path, sizeof path, "%s/%ld", folder, nth);
            if (nth % 10) stat(path, &found);
            else close(open(path, O_WRONLY | O_CREAT, 0600));
        }
        nanosleep(&TICK, NULL);
    }
}

int main(int count, char **args) {
    const char *mode = count > 1 ? args[1] : "";
    signal(SIGTERM, end);
    if (!strcmp(mode, "leak") && count == 3) leak(atol(args[2]));
    else if (!strcmp(mode, "fds") && count == 3) fds(atol(args[2]));
    else if (!strcmp(mode, "fragment") && count == 3) fragment(atol(args[2]));
    else if (!strcmp(mode, "map") && count == 5) map(args[2], atol(args[3]), atol(args[4]));
    else if (!strcmp(mode, "tmpfs") && count == 4) tmpfs(args[2], atol(args[3]));
    else if (!strcmp(mode, "sysv") && count == 3) sysv(atol(args[2]));
    else if (!strcmp(mode, "semaphores") && count == 3) semaphores(atol(args[2]));
    else if (!strcmp(mode, "dentries") && count == 4) dentries(args[2], atol(args[3]));
    else return 2;
    return 0;
}
