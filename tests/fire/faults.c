/* Makes the n-th write, fsync, rename or truncation beneath one folder fail, or the last thing that a process does.
   Loaded by LD_PRELOAD, so that SQLite's own writes are among them. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COUNT, FAIL, FAIL_ON, KILL, TEAR };

static char folder[PATH_MAX];
static int mode = COUNT, number, refusal;
static atomic_int done;

void faults_arm(const char *path, int n, int how, int error) {
    strncpy(folder, path, sizeof folder - 1);
    number = n, mode = how, refusal = error;
    atomic_store(&done, 0);
}

int faults_done(void) { return atomic_load(&done); }

static int beneath(const char *path) { return folder[0] && !strncmp(path, folder, strlen(folder)); }

static int open_beneath(int descriptor) {
    char name[64], path[PATH_MAX];
    if (!folder[0] || descriptor < 3) return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(name, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return beneath(path);
}

static int renamed_beneath(int at, const char *path) {
    char full[PATH_MAX], link[64];
    if (path[0] == '/') return beneath(path);
    if (at == AT_FDCWD) {
        if (!getcwd(full, sizeof full)) return 0;
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", at);
        ssize_t length = readlink(link, full, sizeof full - 1);
        if (length < 0) return 0;
        full[length] = 0;
    }
    return beneath(full);
}

/* 0: go on; -1: refuse; 1: write a half, then end. */
static int falls(void) {
    int now = atomic_fetch_add(&done, 1) + 1;
    if (mode == COUNT || (mode == FAIL_ON ? now < number : now != number)) return 0;
    if (mode == KILL) kill(getpid(), SIGKILL);
    if (mode == TEAR) return 1;
    errno = refusal;
    return -1;
}

#define REAL(name) __typeof__(name) *real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

#define WRITES(name, parameters, whole, half)                                                                          \
    ssize_t name parameters {                                                                                          \
        REAL(name);                                                                                                    \
        if (open_beneath(fd)) {                                                                                        \
            int how = falls();                                                                                         \
            if (how < 0) return -1;                                                                                    \
            if (how > 0) half, kill(getpid(), SIGKILL);                                                                \
        }                                                                                                              \
        return whole;                                                                                                  \
    }

WRITES(write, (int fd, const void *from, size_t count), real(fd, from, count), real(fd, from, count / 2))
WRITES(pwrite, (int fd, const void *from, size_t count, off_t at), real(fd, from, count, at),
       real(fd, from, count / 2, at))
WRITES(pwrite64, (int fd, const void *from, size_t count, off64_t at), real(fd, from, count, at),
       real(fd, from, count / 2, at))
WRITES(writev, (int fd, const struct iovec *from, int count), real(fd, from, count), real(fd, from, count / 2))

#define CALLS(name, parameters, arguments, concerns)                                                                   \
    int name parameters {                                                                                              \
        REAL(name);                                                                                                    \
        if (concerns) {                                                                                                \
            int how = falls();                                                                                         \
            if (how < 0) return -1;                                                                                    \
            if (how > 0) kill(getpid(), SIGKILL);                                                                      \
        }                                                                                                              \
        return real arguments;                                                                                         \
    }

CALLS(fsync, (int fd), (fd), open_beneath(fd))
CALLS(fdatasync, (int fd), (fd), open_beneath(fd))
CALLS(ftruncate, (int fd, off_t size), (fd, size), open_beneath(fd))
CALLS(ftruncate64, (int fd, off64_t size), (fd, size), open_beneath(fd))
CALLS(rename, (const char *from, const char *to), (from, to), renamed_beneath(AT_FDCWD, to))
CALLS(renameat, (int at, const char *from, int into, const char *to), (at, from, into, to), renamed_beneath(into, to))
