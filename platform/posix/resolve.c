/* SPDX-License-Identifier: BSD-3-Clause */
/* resolve: names through the system's getaddrinfo, in threads of their own
 * because it blocks (without NP_POSIX_LEAN).
 *
 *   loop: resolve -> [queue] -> thread: getaddrinfo -> [done] -> wake-up -> loop: collect -> READ
 *   event
 *
 * Threads start when they are needed and then wait for the next name. There are a few of them, so
 * that a name whose server keeps silent does not hold up the others. A query that was given up
 * while it runs keeps its job until the thread comes back. The shared memory is a mapping of its
 * own with a count of users, because a thread may come back after the platform is gone.
 */
#include "platform/posix/posix_priv.h"

#ifndef NP_POSIX_LEAN
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/np_config.h"

#define THREADS 4u
#define STACK_BYTES                                                                                \
    (256u * 1024u) /* getaddrinfo with the system's plug-ins; only what is used counts */

enum job_state { JOB_FREE, JOB_QUEUED, JOB_RUNNING, JOB_DONE, JOB_ABANDONED };

struct job {
    uint32_t owner; /* handle */
    uint32_t next;  /* in the free list, the queue or the done list */
    uint8_t state;  /* enum job_state */
    int8_t err;     /* enum np_err */
    uint8_t addrs_len;
    struct np_addr addrs[NP_MAX_ADDRS];
    char name[NP_MAX_HOST + 1];
};

struct job_list {
    uint32_t first, last;
};

struct np_posix_resolver {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t work;
    struct job_list queue, done, free;
    uint32_t threads, idle;
    uint32_t users; /* threads and the platform */
    uint32_t jobs_used;
    bool is_closing;
    int32_t wake_fd;
    uint64_t map_bytes;
    uint32_t jobs_cap;
    struct job jobs[];
};

/* ---- lists ----------------------------------------------------------------------------------- */

static void insert_last(struct np_posix_resolver *r, struct job_list *list, uint32_t index)
{
    r->jobs[index].next = NP_POSIX_NONE;
    if (list->first == NP_POSIX_NONE) {
        list->first = index;
    } else {
        r->jobs[list->last].next = index;
    }
    list->last = index;
}

static uint32_t remove_first(struct np_posix_resolver *r, struct job_list *list)
{
    uint32_t index = list->first;
    if (index != NP_POSIX_NONE) {
        list->first = r->jobs[index].next;
    }
    return index;
}

static bool remove_job(struct np_posix_resolver *r, struct job_list *list, uint32_t index)
{
    uint32_t before = NP_POSIX_NONE;
    for (uint32_t i = list->first; i != NP_POSIX_NONE; before = i, i = r->jobs[i].next) {
        if (i != index) {
            continue;
        }
        if (before == NP_POSIX_NONE) {
            list->first = r->jobs[i].next;
        } else {
            r->jobs[before].next = r->jobs[i].next;
        }
        if (list->last == i) {
            list->last = before;
        }
        return true;
    }
    return false;
}

static void free_job(struct np_posix_resolver *r, uint32_t index)
{
    r->jobs[index].state = JOB_FREE;
    r->jobs_used--;
    insert_last(r, &r->free, index);
}

/* ---- threads --------------------------------------------------------------------------------- */

static enum np_err lookup_error(int error)
{
    switch (error) {
    case EAI_NONAME:
#if defined(EAI_NODATA) && EAI_NODATA != EAI_NONAME
    case EAI_NODATA:
#endif
#if defined(EAI_ADDRFAMILY)
    case EAI_ADDRFAMILY:
#endif
        return NP_ERR_NOT_FOUND;
    case EAI_AGAIN:
        return NP_ERR_TIMED_OUT;
    default:
        return NP_ERR_IO;
    }
}

/* Asks the system. Runs without the lock, on the thread's own copy of the name. */
static void look_up(const char *name, struct job *answer)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    answer->addrs_len = 0;
    int error = getaddrinfo(name, NULL, &hints, &list);
    if (error != 0) {
        answer->err = (int8_t)lookup_error(error);
        return;
    }
    for (struct addrinfo *at = list; at != NULL && answer->addrs_len < NP_MAX_ADDRS;
         at = at->ai_next) {
        struct sockaddr_in6 name_of = {0};
        if (at->ai_addrlen <= sizeof(name_of)) {
            memcpy(&name_of, at->ai_addr, at->ai_addrlen);
            np_posix_addr(&name_of, &answer->addrs[answer->addrs_len]);
            if (answer->addrs[answer->addrs_len].family != NP_FAMILY_NONE) {
                answer->addrs_len++;
            }
        }
    }
    freeaddrinfo(list);
    answer->err = answer->addrs_len > 0 ? NP_OK : NP_ERR_NOT_FOUND;
}

static void finish_job(struct np_posix_resolver *r, uint32_t index, const struct job *answer)
{
    struct job *job = &r->jobs[index];
    if (job->state == JOB_ABANDONED || r->is_closing) {
        free_job(r, index);
        return;
    }
    job->err = answer->err;
    job->addrs_len = answer->addrs_len;
    memcpy(job->addrs, answer->addrs, sizeof(job->addrs));
    job->state = JOB_DONE;
    insert_last(r, &r->done, index);
    uint64_t one = 1;
    ssize_t n = write(r->wake_fd, &one, sizeof(one));
    (void)n;
}

/* Gives up one use of the shared memory; the lock is held and let go. */
static void leave(struct np_posix_resolver *r)
{
    bool is_last = --r->users == 0;
    pthread_mutex_unlock(&r->lock);
    if (is_last) {
        pthread_cond_destroy(&r->work);
        pthread_mutex_destroy(&r->lock);
        munmap(r, (size_t)r->map_bytes);
    }
}

static void *run_thread(void *arg)
{
    struct np_posix_resolver *r = arg;
    struct job answer;
    pthread_mutex_lock(&r->lock);
    while (!r->is_closing) {
        uint32_t index = remove_first(r, &r->queue);
        if (index == NP_POSIX_NONE) {
            r->idle++;
            pthread_cond_wait(&r->work, &r->lock);
            r->idle--;
            continue;
        }
        r->jobs[index].state = JOB_RUNNING;
        memcpy(answer.name, r->jobs[index].name, sizeof(answer.name));
        pthread_mutex_unlock(&r->lock);
        look_up(answer.name, &answer);
        pthread_mutex_lock(&r->lock);
        finish_job(r, index, &answer);
    }
    leave(r);
    return NULL;
}

/* Signals belong to the loop: the thread starts with all of them blocked. */
static bool start_thread(struct np_posix_resolver *r)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;
    if (pthread_attr_init(&attr) != 0) {
        return false;
    }
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, &attr, run_thread, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (error == 0) {
        r->threads++;
        r->users++;
    }
    return error == 0;
}

/* ---- the loop's side ------------------------------------------------------------------------- */

static struct np_posix_resolver *open_resolver(struct np_plat *plat)
{
    size_t bytes = sizeof(struct np_posix_resolver) + plat->queries_cap * sizeof(struct job);
    struct np_posix_resolver *r =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (r == MAP_FAILED) {
        return NULL;
    }
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->work, NULL);
    r->queue = r->done = r->free = (struct job_list){NP_POSIX_NONE, NP_POSIX_NONE};
    for (uint32_t i = 0; i < plat->queries_cap; i++) {
        insert_last(r, &r->free, i);
    }
    r->users = 1;
    r->wake_fd = plat->wake_fd;
    r->map_bytes = bytes;
    r->jobs_cap = plat->queries_cap;
    return r;
}

/* Queues `name`; returns its job or NONE. */
static uint32_t queue_job(struct np_posix_resolver *r, const char *name, uint32_t owner)
{
    pthread_mutex_lock(&r->lock);
    uint32_t index = r->free.first;
    bool is_served = index != NP_POSIX_NONE &&
                     (r->idle > 0 || (r->threads < THREADS && start_thread(r)) || r->threads > 0);
    if (is_served) {
        remove_first(r, &r->free);
        r->jobs_used++;
        r->jobs[index].owner = owner;
        r->jobs[index].state = JOB_QUEUED;
        memcpy(r->jobs[index].name, name, strlen(name) + 1);
        insert_last(r, &r->queue, index);
        pthread_cond_signal(&r->work);
    }
    pthread_mutex_unlock(&r->lock);
    return is_served ? index : NP_POSIX_NONE;
}

enum np_err np_plat_resolve(struct np_plat *plat, const char *name, uint32_t tag, uint32_t *handle)
{
    size_t len = strnlen(name, NP_MAX_HOST + 1);
    if (len == 0 || len > NP_MAX_HOST) {
        return NP_ERR_INVALID;
    }
    if (plat->resolver == NULL) {
        plat->resolver = open_resolver(plat);
    }
    struct np_posix_handle *h =
        plat->resolver == NULL ? NULL : np_posix_acquire(plat, NP_POSIX_QUERY, -1, tag);
    if (h == NULL) {
        return NP_ERR_NO_HANDLES;
    }
    *handle = np_posix_name(plat, h);
    h->extra = queue_job(plat->resolver, name, *handle);
    if (h->extra == NP_POSIX_NONE) {
        np_posix_release(plat, h);
        return NP_ERR_NO_HANDLES;
    }
    return NP_OK;
}

void np_posix_resolver_collect(struct np_plat *plat)
{
    struct np_posix_resolver *r = plat->resolver;
    if (r == NULL) {
        return;
    }
    pthread_mutex_lock(&r->lock);
    for (uint32_t i = remove_first(r, &r->done); i != NP_POSIX_NONE;
         i = remove_first(r, &r->done)) {
        struct np_posix_handle *h = np_posix_get(plat, r->jobs[i].owner, NP_POSIX_QUERY);
        if (h != NULL) {
            h->bits |= NP_POSIX_READY;
            np_posix_list_insert(plat, &plat->ready, h);
        }
    }
    pthread_mutex_unlock(&r->lock);
}

/* Queries have no socket of their own here. */
void np_posix_query_input(struct np_plat *plat, struct np_posix_handle *h)
{
    (void)plat;
    (void)h;
}

void np_posix_query_cancel(struct np_plat *plat, struct np_posix_handle *h)
{
    struct np_posix_resolver *r = plat->resolver;
    pthread_mutex_lock(&r->lock);
    struct job *job = &r->jobs[h->extra];
    if (job->state == JOB_RUNNING) {
        job->state = JOB_ABANDONED;
    } else {
        remove_job(r, job->state == JOB_QUEUED ? &r->queue : &r->done, h->extra);
        free_job(r, h->extra);
    }
    pthread_mutex_unlock(&r->lock);
    h->extra = NP_POSIX_NONE;
}

int32_t np_plat_resolve_result(struct np_plat *plat, uint32_t handle, struct np_addr *addrs,
                               uint32_t cap)
{
    struct np_posix_handle *h = np_posix_get(plat, handle, NP_POSIX_QUERY);
    if (h == NULL) {
        return NP_ERR_STALE;
    }
    struct np_posix_resolver *r = plat->resolver;
    pthread_mutex_lock(&r->lock);
    const struct job *job = &r->jobs[h->extra];
    int32_t result = NP_ERR_AGAIN;
    if (job->state == JOB_DONE) {
        uint32_t count = job->addrs_len < cap ? job->addrs_len : cap;
        result = job->err != NP_OK ? job->err : (int32_t)count;
        memcpy(addrs, job->addrs, count * sizeof(addrs[0]));
    }
    pthread_mutex_unlock(&r->lock);
    if (result != NP_ERR_AGAIN) {
        np_posix_query_cancel(plat, h);
        np_posix_release(plat, h);
    }
    return result;
}

uint32_t np_posix_queries_used(const struct np_plat *plat)
{
    struct np_posix_resolver *r = plat->resolver;
    uint32_t used = 0;
    if (r != NULL) {
        pthread_mutex_lock(&r->lock);
        used = r->jobs_used;
        pthread_mutex_unlock(&r->lock);
    }
    return used;
}

void np_posix_resolver_close(struct np_plat *plat)
{
    struct np_posix_resolver *r = plat->resolver;
    if (r != NULL) {
        pthread_mutex_lock(&r->lock);
        r->is_closing = true;
        pthread_cond_broadcast(&r->work);
        leave(r);
        plat->resolver = NULL;
    }
}
#endif
