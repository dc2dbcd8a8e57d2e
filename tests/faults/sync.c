/* A disk whose sync fails once: preloaded, the first fsync or fdatasync that finds the file named by FAULT_SYNC_ONCE removes
 * it and returns EIO; all others work. This is how Linux behaves after a write-back error: pages are marked clean, and the
 * next sync reports success for data that is gone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int fault(void)
{
    const char *trigger = getenv("FAULT_SYNC_ONCE");
    return trigger != NULL && unlink(trigger) == 0;
}

static int real(const char *name, int fd)
{
    int (*sync)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    return sync(fd);
}

int fdatasync(int fd)
{
    if (fault()) {
        errno = EIO;
        return -1;
    }
    return real("fdatasync", fd);
}

int fsync(int fd)
{
    if (fault()) {
        errno = EIO;
        return -1;
    }
    return real("fsync", fd);
}
