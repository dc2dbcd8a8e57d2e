/* A disk whose sync fails once: preloaded, the first fsync or fdatasync that finds the file named by FAULT_SYNC_ONCE removes
 * it and returns EIO; all others work. With FAULT_SYNC_PATH only files with that in their path fail. This is how Linux
 * behaves after a write-back error: pages are marked clean, and the next sync reports success for data that is gone.
 *
 * What is gone is told, so that the harness can take it away: beside the trigger, with `.lost` behind its name, the failed
 * file's path and the length up to which it was synced before. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 65536

static struct synced {
    dev_t device;
    ino_t inode;
    off_t length;
} files[FILES_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The length up to which the file is known to be on disk; made 0 for one that was never synced. The caller has the lock. */
static off_t *synced(const struct stat *info)
{
    size_t at = info->st_ino % FILES_MAX;
    while (files[at].inode != 0 && (files[at].inode != info->st_ino || files[at].device != info->st_dev))
        at = (at + 1) % FILES_MAX;
    files[at].inode = info->st_ino;
    files[at].device = info->st_dev;
    return &files[at].length;
}

/* The file that a descriptor stands for; empty where it cannot be told. */
static void path_of(int fd, char *path, size_t size)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    path[length < 0 ? 0 : length] = '\0';
}

static int is_meant(int fd)
{
    const char *part = getenv("FAULT_SYNC_PATH");
    char path[4096];
    path_of(fd, path, sizeof path);
    return part == NULL || strstr(path, part) != NULL;
}

static void tell(const char *trigger, int fd, const struct stat *info)
{
    char name[4096], path[4096];
    snprintf(name, sizeof name, "%s.lost", trigger);
    path_of(fd, path, sizeof path);
    FILE *file = fopen(name, "w");
    if (file == NULL || path[0] == '\0')
        abort();
    pthread_mutex_lock(&lock);
    fprintf(file, "%s\n%lld\n", path, (long long)*synced(info));
    pthread_mutex_unlock(&lock);
    fclose(file);
}

static int sync_file(const char *name, int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    const char *trigger = getenv("FAULT_SYNC_ONCE");
    struct stat info;
    int is_file = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    if (trigger != NULL && is_meant(fd) && unlink(trigger) == 0) {
        if (is_file)
            tell(trigger, fd, &info);
        errno = EIO;
        return -1;
    }
    int result = real(fd);
    if (result == 0 && is_file) {
        /* What was written while the call ran may or may not be there; the length from before counts. */
        pthread_mutex_lock(&lock);
        off_t *length = synced(&info);
        if (*length < info.st_size)
            *length = info.st_size;
        pthread_mutex_unlock(&lock);
    }
    return result;
}

int fdatasync(int fd)
{
    return sync_file("fdatasync", fd);
}

int fsync(int fd)
{
    return sync_file("fsync", fd);
}
