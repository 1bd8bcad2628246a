/* A file system that cannot share memory, as 9p and some NFS: mapping SQLite's -shm file fails. For LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int is_shared_memory_of_sqlite(int fd)
{
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, name, sizeof name - 1);
    if (length < 4)
        return 0;
    name[length] = 0;
    return strcmp(name + length - 4, "-shm") == 0;
}

static void *map(const char *symbol, void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    void *(*next)(void *, size_t, int, int, int, off_t) = dlsym(RTLD_NEXT, symbol);
    if (fd >= 0 && is_shared_memory_of_sqlite(fd)) {
        errno = ENODEV;
        return MAP_FAILED;
    }
    return next(at, size, protection, flags, fd, offset);
}

void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    return map("mmap", at, size, protection, flags, fd, offset);
}

void *mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    return map("mmap64", at, size, protection, flags, fd, offset);
}
