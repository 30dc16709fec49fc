/* A file system as tests want it: no hard links, writes that are short and slow, renames and syncs that take a while.
   SLOW_STORAGE_MICROSECONDS: how long a call takes at most; SLOW_STORAGE_FLOCK_ERROR: what flock answers. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void wait_a_while(void) {
    static unsigned seed;
    const char *most = getenv("SLOW_STORAGE_MICROSECONDS");
    long limit = most ? atol(most) : 0;
    if (limit <= 0) return;
    if (!seed) seed = (unsigned)getpid();
    struct timespec time = {0, (rand_r(&seed) % limit) * 1000L};
    nanosleep(&time, NULL);
}

int link(const char *from, const char *to) { (void)from; (void)to; errno = EPERM; return -1; }
int linkat(int a, const char *from, int b, const char *to, int flags) {
    (void)a; (void)from; (void)b; (void)to; (void)flags; errno = EPERM; return -1;
}

int flock(int file, int operation) {
    static int (*real)(int, int);
    const char *error = getenv("SLOW_STORAGE_FLOCK_ERROR");
    if (error) { errno = atoi(error); return -1; }
    if (!real) real = dlsym(RTLD_NEXT, "flock");
    return real(file, operation);
}

ssize_t write(int file, const void *data, size_t size) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "write");
    struct stat about;
    if (size > 64 && !fstat(file, &about) && S_ISREG(about.st_mode)) {
        wait_a_while();
        size = size / 2;
    }
    return real(file, data, size);
}

int rename(const char *from, const char *to) {
    static int (*real)(const char *, const char *);
    if (!real) real = dlsym(RTLD_NEXT, "rename");
    wait_a_while();
    int answer = real(from, to), code = errno;
    wait_a_while();
    errno = code;
    return answer;
}

int fsync(int file) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fsync");
    wait_a_while();
    return real(file);
}
