/* A disk that is slow to take anything: preloaded, every other write to a file takes only half of what it is given, and
 * every seventh is interrupted before it has taken anything. Sockets and pipes are left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_ulong writes;

/* How much of `count` bytes is written; -1 with errno set where the write is interrupted. */
static ssize_t portion(int fd, size_t count)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return (ssize_t)count;
    unsigned long n = atomic_fetch_add(&writes, 1);
    if (n % 7 == 6) {
        errno = EINTR;
        return -1;
    }
    return (ssize_t)(n % 2 == 0 ? (count + 1) / 2 : count);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t count)
{
    ssize_t some = portion(fd, count);
    return some < 0 ? some : REAL(write)(fd, bytes, (size_t)some);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t position)
{
    ssize_t some = portion(fd, count);
    return some < 0 ? some : REAL(pwrite64)(fd, bytes, (size_t)some, position);
}

/* Vectors are written one part at a time, which is short enough. */
ssize_t writev(int fd, const struct iovec *parts, int count)
{
    struct stat info;
    if (count > 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
        return write(fd, parts[0].iov_base, parts[0].iov_len);
    return REAL(writev)(fd, parts, count);
}
