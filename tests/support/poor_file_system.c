/*
 * A file system that lacks what 9p, some NFS and shared folders of virtual machines lack. For LD_PRELOAD.
 *
 * POOR_FILE_SYSTEM names what fails, with the error's number where there is more than one:
 *     shm        mapping SQLite's -shm file
 *     fcntl=N    record locks, which SQLite takes
 *     flock=N    locks of whole files, which a session's folder is held with
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

/* The number after NAME= in the variable, 1 for NAME alone, 0 when it is not there. */
static int lacks(const char *name)
{
    const char *all = getenv("POOR_FILE_SYSTEM"), *found = all ? strstr(all, name) : NULL;
    if (!found)
        return 0;
    found += strlen(name);
    return *found == '=' ? atoi(found + 1) : 1;
}

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
    if (fd >= 0 && lacks("shm") && is_shared_memory_of_sqlite(fd)) {
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

static int control(const char *symbol, int fd, int command, void *argument)
{
    int (*next)(int, int, ...) = dlsym(RTLD_NEXT, symbol);
    int failure = lacks("fcntl");
    if (failure && (command == F_SETLK || command == F_SETLKW || command == F_GETLK)) {
        errno = failure;
        return -1;
    }
    return next(fd, command, argument);
}

int fcntl(int fd, int command, ...)
{
    va_list more;
    va_start(more, command);
    void *argument = va_arg(more, void *);
    va_end(more);
    return control("fcntl", fd, command, argument);
}

int fcntl64(int fd, int command, ...)
{
    va_list more;
    va_start(more, command);
    void *argument = va_arg(more, void *);
    va_end(more);
    return control("fcntl64", fd, command, argument);
}

int flock(int fd, int operation)
{
    int (*next)(int, int) = dlsym(RTLD_NEXT, "flock");
    int failure = lacks("flock");
    if (failure && operation != LOCK_UN) {
        errno = failure;
        return -1;
    }
    return next(fd, operation);
}
