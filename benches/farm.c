/*
 * farm COUNT PRIVATE_KIB SHARED_KIB FILES: COUNT sleeping processes, as a busy server has them.
 *
 * Each has PRIVATE_KIB of dirty memory of its own, SHARED_KIB that all of them share with the parent, two dozen
 * mappings and FILES open files. It prints "ready" when all are up; all end with it. One process costs a
 * reader of /proc about what a small daemon does.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MAPPINGS = 24, PAGE = 4096 };

static char *filled(size_t bytes, int value) {
    if (bytes == 0) return NULL;
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("farm: mmap");
        exit(1);
    }
    memset(memory, value, bytes);
    return memory;
}

static void sleeper(int number, size_t private_bytes, int files, int done) {
    char name[16];
    snprintf(name, sizeof name, "sleeper-%d", number);
    prctl(PR_SET_NAME, name);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < MAPPINGS; i++) {
        /* Neighbours differ in their rights, or the kernel would join them. */
        int rights = i % 2 ? PROT_READ : PROT_READ | PROT_WRITE;
        char *page = mmap(NULL, PAGE, rights, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page != MAP_FAILED && i % 2 == 0) page[0] = 1;
    }
    filled(private_bytes, number);
    for (int i = 0; i < files; i++) open("/dev/null", O_RDONLY);
    if (write(done, "", 1) != 1) _exit(1);
    for (;;) pause();
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fputs("usage: farm COUNT PRIVATE_KIB SHARED_KIB FILES\n", stderr);
        return 2;
    }
    int count = atoi(argv[1]), files = atoi(argv[4]);
    size_t private_bytes = strtoul(argv[2], NULL, 10) * 1024, shared_bytes = strtoul(argv[3], NULL, 10) * 1024;
    int done[2];
    if (pipe(done)) return 1;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    filled(shared_bytes, 1);
    for (int i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid < 0) {
            perror("farm: fork");
            return 1;
        }
        if (pid == 0) sleeper(i, private_bytes, files, done[1]);
    }
    char byte;
    for (int i = 0; i < count; i++)
        if (read(done[0], &byte, 1) != 1) return 1;
    puts("ready");
    fflush(stdout);
    for (;;) pause();
}
