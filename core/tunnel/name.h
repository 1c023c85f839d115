/* SPDX-License-Identifier: BSD-3-Clause */
/* name: an endpoint of the URL and the addresses it stands for now.
 *
 * A literal needs no query. A name is asked when its answer is older than dns=; while the query
 * runs, waiters queue. With an old answer they wait for NP_NAME_WAIT_MS at most, and not at all
 * after a query that failed: the last good answer is used on (with one WARN), and the name asked
 * again at longer and longer intervals. With none, waiters get the error, and for NP_NAME_RETRY_MS
 * so does everybody who asks.
 */
#ifndef NP_CORE_TUNNEL_NAME_H
#define NP_CORE_TUNNEL_NAME_H

#include "config/settings.h"
#include "core/base/err.h"
#include "core/base/list.h"
#include "core/base/timer.h"

#define NP_NAME_WAIT_MS 500u
#define NP_NAME_RETRY_MS 1000u
#define NP_NAME_RETRY_MAX_MS 8000u

struct np_instance;

struct np_name {
    struct np_instance *instance;
    const struct np_endpoint *endpoint;
    uint8_t which;   /* sub of its tag: 0 tunnel, 1 target */
    uint8_t count;   /* addresses known */
    uint8_t best;    /* the one that answered UDP last */
    bool is_failed;  /* the last query failed */
    bool is_refused; /* it could not be bound when that was tried last (door) */
    enum np_err cause;
    uint32_t query; /* platform handle, or NONE */
    uint64_t fresh_until_ms;
    uint32_t retry_ms;                  /* after the last failure */
    struct np_timer late;               /* runs while the answer is worth waiting for */
    struct np_addr addrs[NP_MAX_ADDRS]; /* with the port, families alternating */
    struct np_list waiters;             /* struct np_name_waiter */
};

/* Embedded by whoever waits; told once, then out of the list. */
struct np_name_waiter {
    struct np_node node;
    void (*ready)(struct np_name_waiter *waiter, enum np_err err);
};

void np_name_init(struct np_name *name, struct np_instance *instance,
                  const struct np_endpoint *endpoint, uint8_t which);
/* NP_OK: name->addrs can be used now. NP_ERR_AGAIN: waiter->ready will be called. Else why not. */
enum np_err np_name_want(struct np_name *name, struct np_name_waiter *waiter);
void np_name_cancel(struct np_name *name, struct np_name_waiter *waiter);
/* Event of the query's handle. */
void np_name_on_event(struct np_name *name, uint32_t handle);
/* Forgets the query; waiters must be gone. */
void np_name_deinit(struct np_name *name);

#endif
