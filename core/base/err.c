/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/base/err.h"

const char *np_err_text(enum np_err err)
{
    static const char *const texts[] = {
        "success",
        "would block",
        "end of stream",
        "invalid argument",
        "stale handle",
        "out of memory",
        "out of handles",
        "connection reset",
        "connection refused",
        "timed out",
        "unreachable",
        "address in use",
        "address not available",
        "permission denied",
        "not found",
        "too long",
        "no space left",
        "not supported",
        "input/output error",
        "protocol error",
        "wrong key",
        "illegal state",
        "limit reached",
        "canceled",
    };
    _Static_assert(sizeof texts / sizeof texts[0] == 1 - NP_ERR_CANCELED, "one text an error");

    if (err > NP_OK || err < NP_ERR_CANCELED) {
        return "unknown error";
    }
    return texts[-(int)err];
}
