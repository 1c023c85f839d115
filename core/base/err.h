/* SPDX-License-Identifier: BSD-3-Clause */
/* err: the one list of results. Everything below zero is a result other than success; the platform,
 * the core and the configuration share it, so that the first cause can be carried unchanged to the
 * log. */
#ifndef NP_CORE_BASE_ERR_H
#define NP_CORE_BASE_ERR_H

enum np_err {
    NP_OK = 0,
    NP_ERR_AGAIN = -1,      /* nothing now; an event will say when to try again */
    NP_ERR_EOF = -2,        /* orderly end of stream */
    NP_ERR_INVALID = -3,    /* an argument or a text that can't be accepted */
    NP_ERR_STALE = -4,      /* the handle's object is gone */
    NP_ERR_NO_MEMORY = -5,  /* a pool is empty, or the stack has no buffers */
    NP_ERR_NO_HANDLES = -6, /* descriptor or connection table is full */
    NP_ERR_RESET = -7,      /* the peer reset the connection, or it was written to after its end */
    NP_ERR_REFUSED = -8,    /* nobody listens there */
    NP_ERR_TIMED_OUT = -9,
    NP_ERR_UNREACHABLE = -10, /* no route to host or network, network down */
    NP_ERR_ADDR_IN_USE = -11,
    NP_ERR_ADDR_NOT_LOCAL = -12, /* the address can't be bound here */
    NP_ERR_ACCESS = -13,         /* permission denied (port below 1024, file mode) */
    NP_ERR_NOT_FOUND = -14,      /* name does not exist, blob does not exist */
    NP_ERR_TOO_LONG = -15,       /* line, datagram or text exceeds its bound */
    NP_ERR_NO_SPACE = -16,       /* storage is full */
    NP_ERR_UNSUPPORTED = -17,    /* not in this build or on this platform */
    NP_ERR_IO = -18,             /* any other failure of the system */
    NP_ERR_PROTOCOL = -19,       /* the peer does not speak the protocol */
    NP_ERR_AUTH = -20,           /* wrong key */
    NP_ERR_STATE = -21,          /* not legal in this state */
    NP_ERR_LIMIT = -22,          /* a configured ceiling was reached */
    NP_ERR_CANCELED = -23        /* given up by ourselves: stop or restart */
};

/* Short lower-case English text of `err`, for the end of a log line ("connection refused").
 * Never NULL; unknown values give "unknown error". */
const char *np_err_text(enum np_err err);

#endif
