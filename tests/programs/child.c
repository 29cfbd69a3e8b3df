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
 *   child NAME headless KIB        the same, and its main thread has ended; another lives on
 *   child NAME swapped KIB COUNT   has KIB KiB of anonymous memory in swap, which it shares with COUNT children that wait
 *   child NAME share KIB COUNT     shares KIB KiB of dirty memory (MAP_SHARED) with COUNT children that wait
 *   child NAME map FILE            has all of FILE mapped and in RAM, unchanged
 *   child NAME segment KIB         has a System V segment of KIB KiB attached, all of it in RAM; it stays when we end
 *   child NAME deleted FILE KIB    has FILE of KIB KiB open, which it made and removed
 *   child NAME open COUNT          has COUNT more files open
 *   child NAME threads COUNT       has COUNT threads
 *   child NAME zoo FOLDER          has one of each kind of descriptor and of mapping, its files in FOLDER
 *   child NAME many MAPS COUNT     has MAPS mappings, a quarter of them in use, and COUNT descriptors, half of them pipes
 *
 * It prints "ready" and a newline when it is as it should be. It dies with the thread that started it, and a
 * family dies with its parent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
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

static int want(int fd, const char *what) {
    if (fd < 0) fail(what);
    return fd;
}

static char *map_all(int fd, size_t bytes) {
    char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) fail("mmap of a file");
    memset(p, 1, bytes);
    return p;
}

static pthread_barrier_t arena_is_filled;

/* malloc gives a second thread an arena of its own, as long as a piece is below its threshold for mmap. */
static void *fill_arena(void *unused) {
    prctl(PR_SET_NAME, "zoo-thread");
    for (int i = 0; i < 10; i++) {
        char *p = malloc(100 << 10);
        if (!p) fail("malloc");
        memset(p, 1, 100 << 10);
    }
    pthread_barrier_wait(&arena_is_filled);
    return wait_forever(unused);
}

static void zoo_sockets(void) {
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof any;
    int server = want(socket(AF_INET, SOCK_STREAM, 0), "tcp");
    if (bind(server, (struct sockaddr *)&any, sizeof any) || listen(server, 8)) fail("listen");
    if (getsockname(server, (struct sockaddr *)&any, &length)) fail("getsockname");
    /* Three connections to itself; the server's end of the third is closed, the client's is not. */
    for (int i = 0; i < 3; i++) {
        int client = want(socket(AF_INET, SOCK_STREAM, 0), "tcp");
        if (connect(client, (struct sockaddr *)&any, sizeof any)) fail("connect");
        int accepted = want(accept(server, NULL, NULL), "accept");
        if (i == 2) {
            char byte;
            close(accepted);
            /* An end of file: the close has arrived. */
            while (read(client, &byte, 1) != 0) {}
        }
    }
    any.sin_port = 0;
    if (bind(want(socket(AF_INET, SOCK_DGRAM, 0), "udp"), (struct sockaddr *)&any, sizeof any)) fail("bind");
    struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = "app.sock"};
    int local = want(socket(AF_UNIX, SOCK_STREAM, 0), "unix");
    if (bind(local, (struct sockaddr *)&path, sizeof path) || listen(local, 8)) fail("app.sock");
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) fail("socketpair");
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    /* Only one that is bound is listed. */
    if (bind(want(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), "netlink"), (struct sockaddr *)&kernel, sizeof kernel))
        fail("netlink");
}

static void zoo(const char *folder) {
    static char block[1 << 20];
    sigset_t signals;
    pthread_t thread;
    char name[64];
    int pipes[2];
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    if (chdir(folder)) fail(folder);
    for (int i = 0; i < 300; i++) want(open("app.log", O_WRONLY | O_CREAT | O_APPEND, 0600), "app.log");
    int gone = want(open("gone.log", O_RDWR | O_CREAT | O_TRUNC, 0600), "gone.log");
    if (write(gone, block, sizeof block) != sizeof block || fsync(gone) || unlink("gone.log")) fail("gone.log");
    want(dup(gone), "dup");
    want(open(".", O_RDONLY | O_DIRECTORY), folder);
    if (mkfifo("fifo", 0600)) fail("fifo");
    want(open("fifo", O_RDWR), "fifo");
    if (pipe(pipes)) fail("pipe");
    int poll = want(epoll_create1(0), "epoll"), event = want(eventfd(41, 0), "eventfd");
    struct epoll_event readable = {.events = EPOLLIN};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, event, &readable) || epoll_ctl(poll, EPOLL_CTL_ADD, pipes[0], &readable))
        fail("epoll_ctl");
    want(timerfd_create(CLOCK_MONOTONIC, 0), "timerfd");
    want(signalfd(-1, &signals, 0), "signalfd");
    int watches = want(inotify_init(), "inotify");
    for (int i = 0; i < 3; i++) {
        want(inotify_add_watch(watches, (const char *[]){".", "app.log", "fifo"}[i], IN_MODIFY), "inotify_add_watch");
    }
    zoo_sockets();
    int ram = want(memfd_create("zoo", 0), "memfd");
    if (ftruncate(ram, 2 << 20)) fail("memfd");
    map_all(ram, 2 << 20);
    touch(1 << 20, MAP_SHARED);
    int segment = want(shmget(IPC_PRIVATE, 1 << 20, IPC_CREAT | 0600), "shmget");
    char *attached = shmat(segment, NULL, 0);
    /* It goes with its last user. */
    if (attached == (char *)-1 || shmctl(segment, IPC_RMID, NULL)) fail("shmat");
    memset(attached, 1, 1 << 20);
    snprintf(name, sizeof name, "/dev/shm/memtide-zoo-%d", (int)getpid());
    int posix = want(open(name, O_RDWR | O_CREAT | O_EXCL, 0600), name);
    if (ftruncate(posix, 1 << 20)) fail(name);
    map_all(posix, 1 << 20);
    close(posix);
    unlink(name);
    if (mlock(touch(64 << 10, MAP_PRIVATE), 64 << 10)) fail("mlock");
    char *code = touch(64 << 10, MAP_PRIVATE);
    if (mprotect(code, 64 << 10, PROT_READ | PROT_EXEC)) fail("mprotect");
    pthread_barrier_init(&arena_is_filled, NULL, 2);
    if (pthread_create(&thread, NULL, fill_arena, NULL)) fail("pthread_create");
    pthread_barrier_wait(&arena_is_filled);
}

static void many(long maps, long count) {
    long page = sysconf(_SC_PAGESIZE);
    int pipes[2], file = want(open("/dev/null", O_RDONLY), "/dev/null");
    char *p = mmap(NULL, maps * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) fail("mmap");
    for (long i = 0; i < maps; i += 2)
        if (mprotect(p + i * page, page, PROT_READ)) fail("mprotect");
    for (long i = 1; i < maps; i += 4) p[i * page] = 1;
    for (long i = 0; i + 3 < count; i += 4) {
        if (pipe(pipes)) fail("pipe");
        want(dup(file), "dup");
        want(dup(file), "dup");
    }
}

/* What lives on says that it is ready once the main thread is a zombie. */
static void *survive(void *unused) {
    (void)unused;
    char state = 0;
    while (state != 'Z') {
        FILE *file = fopen("/proc/self/stat", "r");
        if (!file || fscanf(file, "%*d %*s %c", &state) != 1) fail("/proc/self/stat");
        fclose(file);
        wait_ms(1);
    }
    ready();
    for (;;) pause();
}

static void headless(size_t bytes) {
    touch(bytes, MAP_PRIVATE);
    pthread_t thread;
    if (pthread_create(&thread, NULL, survive, NULL)) fail("pthread_create");
    pthread_exit(NULL);
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    const char *mode = argv[2];
    long first = argc > 3 ? atol(argv[3]) : 0, second = argc > 4 ? atol(argv[4]) : 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!strcmp(mode, "stubborn")) signal(SIGTERM, SIG_IGN);
    if (!strcmp(mode, "family")) family((int)first);
    if (!strcmp(mode, "headless")) headless((size_t)first * 1024);
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
    if (!strcmp(mode, "zoo")) zoo(argc > 3 ? argv[3] : "");
    if (!strcmp(mode, "many")) many(first, second);
    ready();
    if (!strcmp(mode, "leak")) leak((size_t)first * 1024, second);
    if (!strcmp(mode, "files")) files((int)first, second);
    if (!strcmp(mode, "burst")) burst();
    if (!strcmp(mode, "kinds")) kinds((int)first);
    for (;;) pause();
}
