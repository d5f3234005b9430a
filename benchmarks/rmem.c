/* Give every process the usual net.core.rmem_max, whatever this machine's is.
 *
 * Loaded before libc (LD_PRELOAD): the limit belongs to the whole machine and cannot be set in a
 * namespace, so a bench on a machine with a larger one would show no loss where others see it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

enum { USUAL = 212992 };

int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    static int (*next)(int, int, int, const void *, socklen_t);
    int usual = USUAL;

    if (next == NULL)
        *(void **)&next = dlsym(RTLD_NEXT, "setsockopt");
    if (level == SOL_SOCKET && name == SO_RCVBUFFORCE) {
        errno = EPERM;
        return -1;
    }
    if (level == SOL_SOCKET && name == SO_RCVBUF && *(const int *)value > USUAL)
        value = &usual;
    return next(fd, level, name, value, length);
}
