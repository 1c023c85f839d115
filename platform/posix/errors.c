/* SPDX-License-Identifier: BSD-3-Clause */
/* errors: the system's errors in our words. */
#include "platform/posix/posix_priv.h"

#include <errno.h>
#include <string.h>

enum np_err np_posix_err(int error)
{
    switch (error) {
    case 0:
        return NP_OK;
    case EAGAIN:
    case EINTR:
    case EINPROGRESS:
        return NP_ERR_AGAIN;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ENOTCONN:
        return NP_ERR_RESET;
    case ECONNREFUSED:
        return NP_ERR_REFUSED;
    case ETIMEDOUT:
        return NP_ERR_TIMED_OUT;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case EAFNOSUPPORT:
        return NP_ERR_UNREACHABLE;
    case EADDRINUSE:
        return NP_ERR_ADDR_IN_USE;
    case EADDRNOTAVAIL:
        return NP_ERR_ADDR_NOT_LOCAL;
    case EACCES:
    case EPERM:
    case EROFS:
        return NP_ERR_ACCESS;
    case EMFILE:
    case ENFILE:
        return NP_ERR_NO_HANDLES;
    case ENOBUFS:
    case ENOMEM:
        return NP_ERR_NO_MEMORY;
    case EMSGSIZE:
        return NP_ERR_TOO_LONG;
    case EINVAL:
        return NP_ERR_INVALID;
    case ENOENT:
    case ENOTDIR:
        return NP_ERR_NOT_FOUND;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return NP_ERR_NO_SPACE;
    default:
        return NP_ERR_IO;
    }
}

const char *np_posix_error_text(int error)
{
#ifdef NP_POSIX_LEAN
    return np_err_text(np_posix_err(error));
#else
    return strerror(error);
#endif
}
