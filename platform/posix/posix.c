/* SPDX-License-Identifier: BSD-3-Clause */
/* posix: the platform's memory and the handle table. */
#include "platform/posix/posix_priv.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

_Static_assert(sizeof(struct np_posix_handle) <= 40, "a handle is small");

/* ---- lists ----------------------------------------------------------------------------------- */

void np_posix_list_insert(struct np_plat *plat, struct np_posix_list *list,
                          struct np_posix_handle *h)
{
    uint32_t index = (uint32_t)(h - plat->handles);
    h->prev = list->last;
    h->next = NP_POSIX_NONE;
    if (list->last == NP_POSIX_NONE) {
        list->first = index;
    } else {
        plat->handles[list->last].next = index;
    }
    list->last = index;
    list->count++;
}

void np_posix_list_remove(struct np_plat *plat, struct np_posix_list *list,
                          struct np_posix_handle *h)
{
    if (h->prev == NP_POSIX_NONE) {
        list->first = h->next;
    } else {
        plat->handles[h->prev].next = h->next;
    }
    if (h->next == NP_POSIX_NONE) {
        list->last = h->prev;
    } else {
        plat->handles[h->next].prev = h->prev;
    }
    list->count--;
}

/* ---- handles --------------------------------------------------------------------------------- */

static void set_bit(struct np_posix_handle *h, uint8_t bit)
{
    h->bits = (uint8_t)(h->bits | bit);
}

static void clear_bit(struct np_posix_handle *h, uint8_t bit)
{
    h->bits = (uint8_t)(h->bits & ~bit);
}

void np_posix_mark(struct np_plat *plat, struct np_posix_handle *h)
{
    if ((h->bits & NP_POSIX_DIRTY) == 0) {
        set_bit(h, NP_POSIX_DIRTY);
        plat->dirty[plat->dirty_count++] = (uint32_t)(h - plat->handles);
    }
}

void np_posix_unquiet(struct np_plat *plat, struct np_posix_handle *h)
{
    if ((h->bits & NP_POSIX_QUIET) != 0) {
        clear_bit(h, NP_POSIX_QUIET);
        np_posix_mark(plat, h);
    }
}

void np_posix_update_ready(struct np_plat *plat, struct np_posix_handle *h)
{
    bool is_ready =
        h->kind == NP_POSIX_TCP && h->extra != NP_POSIX_NONE && (h->want & NP_EV_READ) != 0;
    bool was_ready = (h->bits & NP_POSIX_READY) != 0;
    if (is_ready && !was_ready) {
        set_bit(h, NP_POSIX_READY);
        np_posix_list_insert(plat, &plat->ready, h);
    } else if (!is_ready && was_ready) {
        clear_bit(h, NP_POSIX_READY);
        np_posix_list_remove(plat, &plat->ready, h);
    }
}

static struct np_posix_handle *take_slot(struct np_plat *plat)
{
    struct np_posix_handle *h = NULL;
    if (plat->handles_free != NP_POSIX_NONE) {
        h = &plat->handles[plat->handles_free];
        plat->handles_free = h->next;
    } else if (plat->handles_fresh < plat->handles_cap) {
        h = &plat->handles[plat->handles_fresh++];
        h->generation = 1;
    }
    return h;
}

struct np_posix_handle *np_posix_acquire(struct np_plat *plat, uint8_t kind, int32_t fd,
                                         uint32_t tag)
{
    struct np_posix_handle *h = take_slot(plat);
    if (h == NULL) {
        return NULL;
    }
    *h = (struct np_posix_handle){.fd = fd,
                                  .tag = tag,
                                  .prev = NP_POSIX_NONE,
                                  .next = NP_POSIX_NONE,
                                  .extra = NP_POSIX_NONE,
                                  .pipe = NP_POSIX_NONE,
                                  .generation = h->generation,
                                  .kind = kind,
                                  .bits = h->bits & NP_POSIX_DIRTY};
    plat->handles_used++;
    np_posix_mark(plat, h);
    return h;
}

void np_posix_release(struct np_plat *plat, struct np_posix_handle *h)
{
    if ((h->bits & NP_POSIX_READY) != 0) {
        np_posix_list_remove(plat, &plat->ready, h);
    }
    if ((h->bits & NP_POSIX_MUTED) != 0) {
        np_posix_list_remove(plat, &plat->muted, h);
    }
    if (h->fd >= 0) {
        np_posix_loop_forget(plat, h);
        close(h->fd);
    }
    h->fd = -1;
    h->kind = NP_POSIX_FREE;
    h->armed = 0;
    h->bits &= NP_POSIX_DIRTY;
    h->generation = (uint16_t)(h->generation + 1u);
    if (h->generation == NP_POSIX_GENERATIONS) {
        h->generation = 1;
    }
    h->next = plat->handles_free;
    plat->handles_free = (uint32_t)(h - plat->handles);
    plat->handles_used--;
}

struct np_posix_handle *np_posix_get(const struct np_plat *plat, uint32_t handle, uint8_t kind)
{
    uint32_t index = handle & NP_POSIX_INDEX_MASK;
    if (index >= plat->handles_fresh) {
        return NULL;
    }
    struct np_posix_handle *h = &plat->handles[index];
    if (h->kind == NP_POSIX_FREE || h->generation != handle >> NP_POSIX_INDEX_BITS ||
        (kind != NP_POSIX_FREE && h->kind != kind)) {
        return NULL;
    }
    return h;
}

uint32_t np_posix_name(const struct np_plat *plat, const struct np_posix_handle *h)
{
    return (uint32_t)h->generation << NP_POSIX_INDEX_BITS | (uint32_t)(h - plat->handles);
}

void np_plat_interest(struct np_plat *plat, uint32_t handle, uint32_t mask)
{
    struct np_posix_handle *h = np_posix_get(plat, handle, NP_POSIX_FREE);
    uint8_t want = (uint8_t)(mask & (NP_EV_READ | NP_EV_WRITE));
    if (h == NULL || h->kind == NP_POSIX_QUERY || h->want == want) {
        return;
    }
    h->want = want;
    clear_bit(h, NP_POSIX_QUIET);
    np_posix_mark(plat, h);
    np_posix_update_ready(plat, h);
}

void np_plat_retag(struct np_plat *plat, uint32_t handle, uint32_t tag)
{
    struct np_posix_handle *h = np_posix_get(plat, handle, NP_POSIX_FREE);
    if (h != NULL) {
        h->tag = tag;
    }
}

static void release_any(struct np_plat *plat, struct np_posix_handle *h)
{
    if (h->kind == NP_POSIX_TCP) {
        np_posix_buffer_release(plat, h);
        np_posix_pipe_drop(plat, h);
    } else if (h->kind == NP_POSIX_QUERY) {
        np_posix_query_cancel(plat, h);
    }
    np_posix_release(plat, h);
}

void np_plat_close(struct np_plat *plat, uint32_t handle)
{
    struct np_posix_handle *h = np_posix_get(plat, handle, NP_POSIX_FREE);
    if (h != NULL && h->kind != NP_POSIX_TCP) {
        release_any(plat, h);
    }
}

/* ---- the platform ---------------------------------------------------------------------------- */

/* The tables in the order they lie in the mapping; with map NULL it only counts. */
static void *cut(uint8_t *map, uint64_t *used, uint64_t bytes, uint64_t align)
{
    *used = (*used + align - 1u) & ~(align - 1u);
    void *mem = map == NULL ? NULL : map + *used;
    *used += bytes;
    return mem;
}

struct layout {
    struct np_plat *plat;
    void *handles, *dirty, *buffers, *pipes, *loop, *udp, *buffer_mem;
};

static uint64_t lay_out(uint8_t *map, const struct np_posix_config *c, struct layout *at)
{
    uint64_t used = 0;
    at->plat = cut(map, &used, sizeof(struct np_plat), 64);
    at->udp = cut(map, &used, np_posix_udp_bytes(), 64);
    at->buffers = cut(map, &used, (c->buffers + 1u) * sizeof(struct np_posix_buffer), 64);
    at->pipes = cut(map, &used, c->pipes * sizeof(struct np_posix_pipe), 64);
    at->dirty = cut(map, &used, (uint64_t)c->handles * sizeof(uint32_t), 64);
    at->handles = cut(map, &used, (uint64_t)c->handles * sizeof(struct np_posix_handle), 64);
    at->loop = cut(map, &used, np_posix_loop_bytes(c->handles), 64);
    at->buffer_mem = cut(map, &used, (c->buffers + 1ull) * c->buffer_bytes, 4096);
    return used;
}

static bool with_defaults(const struct np_posix_config *config, struct np_posix_config *c)
{
    *c = *config;
    c->buffers = c->buffers == 0 ? 64 : c->buffers;
    c->buffer_bytes = c->buffer_bytes == 0 ? 16384 : c->buffer_bytes;
    c->pipes = c->pipes == 0 ? 64 : c->pipes;
    c->queries = c->queries == 0 ? 16 : c->queries;
    return c->handles >= 1 && c->handles <= NP_POSIX_MAX_HANDLES && c->buffers <= 65536 &&
           c->buffer_bytes <= 1u << 20 && c->pipes <= 65536 && c->queries <= 1024;
}

static void bind_memory(struct np_plat *plat, const struct np_posix_config *c,
                        const struct layout *at)
{
    plat->handles = at->handles;
    plat->handles_cap = c->handles;
    plat->handles_free = NP_POSIX_NONE;
    plat->dirty = at->dirty;
    plat->ready = (struct np_posix_list){NP_POSIX_NONE, NP_POSIX_NONE, 0};
    plat->muted = plat->ready;
    plat->buffer_mem = at->buffer_mem;
    plat->buffers = at->buffers;
    plat->buffers_cap = c->buffers;
    plat->buffer_bytes = c->buffer_bytes;
    plat->buffers_fresh = 1; /* buffer 0 is the first scratch */
    plat->buffers_free = NP_POSIX_NONE;
    plat->is_splice_off = c->is_splice_off;
    plat->pipes = at->pipes;
    plat->pipes_cap = c->pipes;
    plat->pipes_free = NP_POSIX_NONE;
    plat->queries_cap = c->queries;
    plat->query_due_ms = UINT64_MAX;
    plat->syslog_ident = c->syslog_ident;
}

uint64_t np_posix_bytes_needed(const struct np_posix_config *config)
{
    struct np_posix_config c;
    struct layout at;

    return with_defaults(config, &c) ? lay_out(NULL, &c, &at) : 0;
}

struct np_plat *np_posix_open(const struct np_posix_config *config)
{
    struct np_posix_config c;
    struct layout at;
    if (!with_defaults(config, &c)) {
        return NULL;
    }
    uint64_t bytes = lay_out(NULL, &c, &at);
    void *map =
        mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
        return NULL;
    }
    lay_out(map, &c, &at);
    struct np_plat *plat = at.plat;
    plat->map = map;
    plat->map_bytes = bytes;
    bind_memory(plat, &c, &at);
    np_posix_udp_init(plat, at.udp);
    plat->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (plat->wake_fd < 0) {
        goto fail_map;
    }
    if (!np_posix_loop_open(plat, at.loop)) {
        goto fail_wake;
    }
    plat->lock_fd = -1;
#ifdef NP_POSIX_LEAN
    np_zone_load(&plat->zone);
#endif
    signal(SIGPIPE, SIG_IGN); /* splice has no flag against it */
    signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is an error of that write, no more */
    plat->syslog_fd =
        plat->syslog_ident != NULL ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
    return plat;
fail_wake:
    close(plat->wake_fd);
fail_map:
    munmap(map, (size_t)bytes);
    return NULL;
}

void np_posix_close(struct np_plat *plat)
{
    if (plat == NULL) {
        return;
    }
    np_posix_forget_signals(plat);
    for (uint32_t i = 0; i < plat->handles_fresh; i++) {
        if (plat->handles[i].kind != NP_POSIX_FREE) {
            release_any(plat, &plat->handles[i]);
        }
    }
    np_posix_resolver_close(plat);
    np_posix_pipes_close(plat);
    np_posix_loop_close(plat);
    close(plat->wake_fd);
    if (plat->syslog_fd >= 0) {
        close(plat->syslog_fd);
    }
    if (plat->lock_fd >= 0) {
        close(plat->lock_fd);
    }
    munmap(plat->map, (size_t)plat->map_bytes);
}

void np_posix_stats(const struct np_plat *plat, struct np_posix_stats *stats)
{
    *stats = (struct np_posix_stats){
        .handles_used = plat->handles_used,
        .buffers_used = plat->buffers_used,
        .pipes_held = plat->pipes_held,
        .pipes_open = plat->pipes_open,
        .queries_used = np_posix_queries_used(plat),
        .lines_dropped = plat->lines_dropped,
        .handle_bytes = (uint32_t)(sizeof(struct np_posix_handle) + sizeof(uint32_t) +
                                   np_posix_loop_bytes(1024) / 1024),
    };
}
