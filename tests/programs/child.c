/*
 * child NAME MODE ...: a small process that does one thing to its memory, for tests and measurements.
 *
 *   child NAME sleep               waits to be ended
 *   child NAME leak KIB MS         keeps KIB more KiB of dirty anonymous memory every MS milliseconds
 *   child NAME files COUNT MS      opens COUNT more files every MS milliseconds
 *   child NAME stubborn            ignores SIGTERM
 *   child NAME family COUNT        COUNT children that wait
 *   child NAME burst               starts and reaps short-lived children without pause
 *   child NAME kinds COUNT         COUNT children that live for some milliseconds each and are followed by others: one
 *                                  of kind K is called kind-K, belongs to user 10000+K, has 16*K KiB of dirty memory
 *                                  and K files open beside what it inherits and may open 1000+K; only root can
 *                                  start them
 *   child NAME hold KIB            has KIB KiB of dirty anonymous memory
 *   child NAME swapped KIB COUNT   has KIB KiB of anonymous memory in swap, which it shares with COUNT children that wait
 *   child NAME share KIB COUNT     shares KIB KiB of dirty memory (MAP_SHARED) with COUNT children that wait
 *   child NAME map FILE            has all of FILE mapped and in RAM, unchanged
 *   child NAME segment KIB         has a System V segment of KIB KiB attached, all of it in RAM; it stays when we end
 *   child NAME deleted FILE KIB    has FILE of KIB KiB open, which it made and removed
 *   child NAME open COUNT          has COUNT more files open
 *   child NAME threads COUNT       has COUNT threads
 *
 * It prints "ready" and a newline when it is as it should be. It dies with the thread that started it, and a
 * family dies with its parent.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void wait_ms(long ms) {
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static void ready(void) {
    puts("ready");
    fflush(stdout);
}

static void leak(size_t bytes, long ms) {
    for (;;) {
        char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) pause();
        memset(p, 1, bytes);
        wait_ms(ms);
    }
}

static void files(int count, long ms) {
    for (;;) {
        for (int i = 0; i < count; i++)
            if (open("/dev/null", O_RDONLY) < 0) pause();
        wait_ms(ms);
    }
}

static void family(int count) {
    for (int i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid < 0) {
            perror("fork");
            exit(1);
        }
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;) pause();
        }
    }
}

static void burst(void) {
    for (;;) {
        pid_t pid = fork();
        if (pid == 0) _exit(0);
        if (pid > 0) waitpid(pid, NULL, 0);
    }
}

static char *touch(size_t bytes, int sharing) {
    char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) fail("mmap");
    memset(p, 1, bytes);
    return p;
}

static void be_of_kind(int kind, long life_ms) {
    char name[16];
    struct rlimit limit = {1000 + kind, 1000 + kind};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (kind) touch((size_t)kind * 16 * 1024, MAP_PRIVATE);
    for (int i = 0; i < kind; i++)
        if (open("/dev/null", O_RDONLY) < 0) fail("open");
    if (setrlimit(RLIMIT_NOFILE, &limit)) fail("setrlimit");
    if (setgid(10000 + kind) || setuid(10000 + kind)) fail("setuid");
    snprintf(name, sizeof name, "kind-%d", kind);
    /* The last step: who bears the name has all of it. */
    prctl(PR_SET_NAME, name);
    wait_ms(life_ms);
    _exit(0);
}

static void kinds(int count) {
    int alive = 0;
    unsigned seed = 1;
    for (int kind = 0;; kind = (kind + 1) % 97) {
        seed = seed * 1103515245 + 12345;
        pid_t pid = fork();
        if (pid == 0) be_of_kind(kind, 5 + (seed >> 16) % 15);
        if (pid > 0) alive++;
        /* Where the pids have run out one has to end first. */
        while (alive >= count || (pid < 0 && alive > 0)) {
            if (waitpid(-1, NULL, 0) > 0) alive--;
            pid = 0;
        }
    }
}

static void share(size_t bytes, int count) {
    char *p = touch(bytes, MAP_SHARED);
    int *done = (int *)p;
    *done = 0;
    for (int i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid < 0) fail("fork");
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            /* fork(2) does not copy the page tables of shared memory: a page counts as ours once it is touched. */
            for (size_t at = sizeof *done; at < bytes; at += 1024) ((volatile char *)p)[at] = 2;
            __atomic_fetch_add(done, 1, __ATOMIC_SEQ_CST);
            for (;;) pause();
        }
    }
    while (__atomic_load_n(done, __ATOMIC_SEQ_CST) < count) wait_ms(1);
}

static long in_swap_kib(void) {
    char line[128];
    long kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "VmSwap: %ld", &kib) == 1) break;
    if (status) fclose(status);
    return kib;
}

/* Entries of swap are copied by fork(2): who is started after the memory has gone there shares it. */
static void swapped(long kib, int count) {
    char *p = touch((size_t)kib * 1024, MAP_PRIVATE);
    for (int tries = 0; in_swap_kib() < kib; tries++) {
        if (tries == 1000 || madvise(p, (size_t)kib * 1024, MADV_PAGEOUT)) fail("MADV_PAGEOUT");
        wait_ms(10);
    }
    family(count);
}

static void map(const char *path) {
    int file = open(path, O_RDONLY);
    off_t size = lseek(file, 0, SEEK_END);
    volatile char *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (p == MAP_FAILED) fail(path);
    for (off_t at = 0; at < size; at += 1024) (void)p[at];
    close(file);
}

static void segment(size_t bytes) {
    int id = shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600);
    char *p = id < 0 ? (char *)-1 : shmat(id, NULL, 0);
    if (p == (char *)-1) fail("shmget");
    memset(p, 1, bytes);
}

static void deleted(const char *path, size_t bytes) {
    char page[1024];
    int file = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    memset(page, 1, sizeof page);
    for (size_t at = 0; at < bytes; at += sizeof page)
        if (write(file, page, sizeof page) != sizeof page) fail(path);
    if (unlink(path)) fail(path);
}

static void *wait_forever(void *unused) {
    for (;;) pause();
    return unused;
}

static void threads(int count) {
    pthread_t thread;
    while (--count > 0)
        if (pthread_create(&thread, NULL, wait_forever, NULL)) fail("pthread_create");
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    const char *mode = argv[2];
    long first = argc > 3 ? atol(argv[3]) : 0, second = argc > 4 ? atol(argv[4]) : 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!strcmp(mode, "stubborn")) signal(SIGTERM, SIG_IGN);
    if (!strcmp(mode, "family")) family((int)first);
    if (!strcmp(mode, "hold")) touch((size_t)first * 1024, MAP_PRIVATE);
    if (!strcmp(mode, "swapped")) swapped(first, (int)second);
    if (!strcmp(mode, "share")) share((size_t)first * 1024, (int)second);
    if (!strcmp(mode, "map")) map(argc > 3 ? argv[3] : "");
    if (!strcmp(mode, "segment")) segment((size_t)first * 1024);
    if (!strcmp(mode, "deleted")) deleted(argc > 3 ? argv[3] : "", (size_t)second * 1024);
    if (!strcmp(mode, "open"))
        while (first-- > 0)
            if (open("/dev/null", O_RDONLY) < 0) fail("open");
    if (!strcmp(mode, "threads")) threads((int)first);
    ready();
    if (!strcmp(mode, "leak")) leak((size_t)first * 1024, second);
    if (!strcmp(mode, "files")) files((int)first, second);
    if (!strcmp(mode, "burst")) burst();
    if (!strcmp(mode, "kinds")) kinds((int)first);
    for (;;) pause();
}
