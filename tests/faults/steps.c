/* Death between two steps: preloaded, the process is killed before its N-th call that changes names, lengths or durability
 * of files, N being the value of FAULT_KILL_AT. The calls of all threads are counted together, from 1. Writes are no steps:
 * what a dead process wrote is in the page cache, and the next step finds it there. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_long steps;

static void step(void)
{
    static long kill_at = -1;
    if (kill_at < 0) {
        const char *text = getenv("FAULT_KILL_AT");
        kill_at = text != NULL ? atol(text) : 0;
    }
    if (atomic_fetch_add(&steps, 1) + 1 == kill_at)
        kill(getpid(), SIGKILL);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int rename(const char *from, const char *to)
{
    step();
    return REAL(rename)(from, to);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    step();
    return REAL(renameat)(from_dir, from, to_dir, to);
}

int unlink(const char *path)
{
    step();
    return REAL(unlink)(path);
}

int unlinkat(int dir, const char *path, int flags)
{
    step();
    return REAL(unlinkat)(dir, path, flags);
}

int rmdir(const char *path)
{
    step();
    return REAL(rmdir)(path);
}

int mkdir(const char *path, mode_t mode)
{
    step();
    return REAL(mkdir)(path, mode);
}

int fsync(int fd)
{
    step();
    return REAL(fsync)(fd);
}

int fdatasync(int fd)
{
    step();
    return REAL(fdatasync)(fd);
}

int ftruncate64(int fd, off64_t length)
{
    step();
    return REAL(ftruncate64)(fd, length);
}

int ftruncate(int fd, off_t length)
{
    step();
    return REAL(ftruncate)(fd, length);
}

/* Only an open that may make a file is a step. */
int open64(const char *path, int flags, ...)
{
    mode_t mode = 0;
    if (flags & O_CREAT) {
        va_list rest;
        va_start(rest, flags);
        mode = va_arg(rest, mode_t);
        va_end(rest);
        step();
    }
    return REAL(open64)(path, flags, mode);
}
