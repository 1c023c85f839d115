/* SPDX-License-Identifier: BSD-3-Clause */
/* resolve_dns: names by asking the system's name servers ourselves, in the loop, without threads
 * (-DNP_POSIX_LEAN; static programs, where getaddrinfo brings threads, stdio and malloc along).
 *
 *   resolve -> literal, /etc/hosts -> done
 *           -> socket to a name server: A and AAAA -> answer -> next domain or done
 *                    ^-- next server <-- silence, refusal, "can't tell"
 *
 * A query has a socket of its own while it asks, connected to one server: the kernel drops what
 * comes from others, and tells when nobody listens there. Port and ids are new for each try.
 */
#include "platform/posix/posix_priv.h"

#ifdef NP_POSIX_LEAN
#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config/np_config.h"
#include "platform/posix/dns_files.h"
#include "platform/posix/dns_message.h"
#include "platform/posix/lines.h"

/* When one family has its answer the other may take this long. */
#define SECOND_FAMILY_MS 500u
#define FULL_CAP 256u
#define MOST_DATAGRAMS 8u /* a turn */

enum job_state { JOB_FREE, JOB_ASKING, JOB_DONE };
enum answer_state { ANSWER_OPEN, ANSWER_KNOWN, ANSWER_FAILED };
enum { FAMILIES = 2 };
static const enum np_dns_type types[FAMILIES] = {NP_DNS_AAAA, NP_DNS_A};

struct job {
    uint64_t due_ms;
    uint32_t owner;     /* handle */
    uint32_t tries;     /* servers asked for this full name */
    uint16_t search_at; /* where the next domain begins in conf.search */
    uint16_t ids[FAMILIES];
    uint8_t answers[FAMILIES]; /* enum answer_state */
    bool is_bare_left;         /* the name as it is comes after the domains */
    uint8_t state;             /* enum job_state */
    int8_t err;                /* enum np_err */
    uint8_t addrs_len;
    struct np_addr addrs[NP_MAX_ADDRS];
    char name[NP_MAX_HOST + 1];
    char full[FULL_CAP]; /* what is asked for */
};

struct np_posix_resolver {
    uint64_t map_bytes;
    uint32_t jobs_cap, jobs_used;
    struct np_dns_conf conf;
    struct job jobs[];
};

/* ---- answers --------------------------------------------------------------------------------- */

/* How much worse than others: an address of the other network's kind, one without a way there. */
static uint32_t cost(const struct np_addr *addr)
{
    struct np_addr to = *addr, from;
    struct sockaddr_in6 at;
    socklen_t len = sizeof(at);
    int32_t fd;
    bool is_v6;
    uint32_t result = 3;

    to.port = 9;
    if (np_posix_socket(SOCK_DGRAM, NULL, &to, &fd, &is_v6) != NP_OK) {
        return result;
    }
    struct sockaddr *sa = (struct sockaddr *)(void *)&at;
    if (connect(fd, sa, np_posix_sockaddr(&to, is_v6, &at)) == 0 &&
        getsockname(fd, sa, &len) == 0) {
        np_posix_addr(&at, &from);
        bool is_private_way = is_v6 && (from.ip[0] & 0xfe) == 0xfc && (to.ip[0] & 0xe0) == 0x20;
        result = !is_v6 ? 1 : is_private_way ? 2 : 0;
    }
    close(fd);
    return result;
}

/* IPv6 first, then IPv4, last what can't be reached; else the order of the server. */
static void sort_addrs(struct job *job)
{
    uint32_t costs[NP_MAX_ADDRS];

    for (uint32_t i = 0; i < job->addrs_len; i++) {
        struct np_addr addr = job->addrs[i];
        uint32_t own = cost(&addr), at = i;
        for (; at > 0 && costs[at - 1] > own; at--) {
            costs[at] = costs[at - 1];
            job->addrs[at] = job->addrs[at - 1];
        }
        costs[at] = own;
        job->addrs[at] = addr;
    }
}

static void close_socket(struct np_plat *plat, struct np_posix_handle *h)
{
    if (h->fd >= 0) {
        np_posix_loop_forget(plat, h);
        close(h->fd);
        h->fd = -1;
        h->armed = 0;
    }
}

static void finish(struct np_plat *plat, struct np_posix_handle *h, enum np_err err)
{
    struct job *job = &plat->resolver->jobs[h->extra];

    close_socket(plat, h);
    sort_addrs(job);
    job->err = (int8_t)(job->addrs_len > 0 ? NP_OK : err);
    job->state = JOB_DONE;
    h->bits |= NP_POSIX_READY;
    np_posix_list_insert(plat, &plat->ready, h);
}

/* ---- questions ------------------------------------------------------------------------------- */

static bool send_questions(struct job *job, int32_t fd)
{
    uint8_t question[NP_DNS_QUESTION_CAP];

    for (uint32_t i = 0; i < FAMILIES; i++) {
        uint32_t len = np_dns_ask(question, job->ids[i], job->full, types[i]);
        if (job->answers[i] == ANSWER_KNOWN) {
            continue;
        }
        job->answers[i] = ANSWER_OPEN;
        if (send(fd, question, len, MSG_NOSIGNAL) != (ssize_t)len) {
            return false;
        }
    }
    return true;
}

/* Asks the next server, on a fresh socket. */
static bool ask_server(struct np_plat *plat, struct np_posix_handle *h, const struct np_addr *to)
{
    struct np_posix_resolver *r = plat->resolver;
    struct job *job = &r->jobs[h->extra];
    struct sockaddr_in6 at;
    int32_t fd;
    bool is_v6;

    close_socket(plat, h);
    if (np_plat_random(plat, (uint8_t *)job->ids, sizeof(job->ids)) != NP_OK ||
        np_posix_socket(SOCK_DGRAM, NULL, to, &fd, &is_v6) != NP_OK) {
        return false;
    }
    socklen_t len = np_posix_sockaddr(to, is_v6, &at);
    if (connect(fd, (struct sockaddr *)(void *)&at, len) != 0 || !send_questions(job, fd)) {
        close(fd);
        return false;
    }
    h->fd = fd;
    h->want = NP_EV_READ;
    np_posix_mark(plat, h);
    job->due_ms = np_plat_now_ms(plat) + r->conf.timeout_s * 1000u / r->conf.attempts;
    plat->query_due_ms = job->due_ms < plat->query_due_ms ? job->due_ms : plat->query_due_ms;
    return true;
}

/* Goes on with the next server; when all were asked often enough the query has failed. */
static void ask_next(struct np_plat *plat, struct np_posix_handle *h)
{
    struct np_dns_conf *conf = &plat->resolver->conf;
    struct job *job = &plat->resolver->jobs[h->extra];

    while (job->addrs_len == 0 && job->tries < (uint32_t)conf->servers_count * conf->attempts) {
        if (ask_server(plat, h, &conf->servers[job->tries++ % conf->servers_count])) {
            return;
        }
    }
    finish(plat, h, NP_ERR_TIMED_OUT);
}

/* Sets the next full name of the search; false if there is none. */
static bool next_full_name(const struct np_dns_conf *conf, struct job *job)
{
    size_t name_len = strlen(job->name), len;
    const char *domain = conf->search + job->search_at;

    while ((len = strcspn(domain, " ")) > 0) {
        job->search_at = (uint16_t)(job->search_at + len + 1);
        if (name_len + len + 2 <= sizeof(job->full)) {
            memcpy(job->full, job->name, name_len);
            job->full[name_len] = '.';
            memcpy(job->full + name_len + 1, domain, len);
            job->full[name_len + 1 + len] = '\0';
            return true;
        }
        domain += len + 1;
    }
    memcpy(job->full, job->name, name_len + 1);
    bool is_left = job->is_bare_left;
    job->is_bare_left = false;
    return is_left;
}

static void ask_next_name(struct np_plat *plat, struct np_posix_handle *h)
{
    uint8_t question[NP_DNS_QUESTION_CAP];
    struct job *job = &plat->resolver->jobs[h->extra];

    while (next_full_name(&plat->resolver->conf, job)) {
        if (np_dns_ask(question, 0, job->full, NP_DNS_A) != 0) {
            memset(job->answers, 0, sizeof(job->answers));
            job->tries = 0;
            ask_next(plat, h);
            return;
        }
    }
    finish(plat, h, NP_ERR_NOT_FOUND);
}

/* ---- what comes back ------------------------------------------------------------------------- */

static bool has_state(const struct job *job, enum answer_state state)
{
    return job->answers[0] == state || job->answers[1] == state;
}

static void take_answer(struct job *job, const uint8_t *answer, uint32_t len)
{
    uint8_t question[NP_DNS_QUESTION_CAP];

    for (uint32_t i = 0; i < FAMILIES; i++) {
        uint32_t count, question_len = np_dns_ask(question, job->ids[i], job->full, types[i]);
        uint32_t room = NP_MAX_ADDRS - job->addrs_len;
        if (job->answers[1 - i] == ANSWER_OPEN) {
            room = (room + 1) / 2; /* the rest for the other family */
        }
        if (job->answers[i] != ANSWER_OPEN) {
            continue;
        }
        enum np_dns_result result = np_dns_read(answer, len, question, question_len,
                                                job->addrs + job->addrs_len, room, &count);
        job->addrs_len = (uint8_t)(job->addrs_len + count);
        if (result != NP_DNS_FOREIGN) {
            job->answers[i] = result == NP_DNS_FAILED ? ANSWER_FAILED : ANSWER_KNOWN;
            return;
        }
    }
}

void np_posix_query_input(struct np_plat *plat, struct np_posix_handle *h)
{
    struct job *job = &plat->resolver->jobs[h->extra];
    uint8_t answer[NP_DNS_ANSWER_CAP];
    ssize_t n = 0;

    if (job->state != JOB_ASKING) {
        return;
    }
    for (uint32_t i = 0; i < MOST_DATAGRAMS && n >= 0 && has_state(job, ANSWER_OPEN); i++) {
        n = recv(h->fd, answer, sizeof(answer), MSG_DONTWAIT);
        take_answer(job, answer, n > 0 ? (uint32_t)n : 0);
    }
    bool is_broken = n < 0 && errno != EAGAIN && errno != EINTR;
    if (is_broken || (!has_state(job, ANSWER_OPEN) && has_state(job, ANSWER_FAILED))) {
        ask_next(plat, h);
    } else if (!has_state(job, ANSWER_OPEN) && job->addrs_len == 0) {
        ask_next_name(plat, h);
    } else if (!has_state(job, ANSWER_OPEN)) {
        finish(plat, h, NP_OK);
    } else if (job->addrs_len > 0) {
        uint64_t due_ms = np_plat_now_ms(plat) + SECOND_FAMILY_MS;
        job->due_ms = due_ms < job->due_ms ? due_ms : job->due_ms;
        plat->query_due_ms = job->due_ms < plat->query_due_ms ? job->due_ms : plat->query_due_ms;
    }
}

void np_posix_resolver_collect(struct np_plat *plat)
{
    struct np_posix_resolver *r = plat->resolver;
    uint64_t now_ms;

    if (plat->query_due_ms == UINT64_MAX || (now_ms = np_plat_now_ms(plat)) < plat->query_due_ms) {
        return;
    }
    plat->query_due_ms = UINT64_MAX;
    for (uint32_t i = 0; i < r->jobs_cap; i++) {
        struct job *job = &r->jobs[i];
        if (job->state == JOB_ASKING && job->due_ms <= now_ms) {
            ask_next(plat, np_posix_get(plat, job->owner, NP_POSIX_QUERY));
        } else if (job->state == JOB_ASKING && job->due_ms < plat->query_due_ms) {
            plat->query_due_ms = job->due_ms;
        }
    }
}

/* ---- files ----------------------------------------------------------------------------------- */

static uint32_t zone_index(const char *name)
{
    struct ifreq request;
    size_t len = strlen(name);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool is_known;

    memset(&request, 0, sizeof(request));
    if (fd < 0) {
        return 0;
    }
    memcpy(request.ifr_name, name, len < IF_NAMESIZE ? len : IF_NAMESIZE - 1);
    is_known = syscall(SYS_ioctl, fd, SIOCGIFINDEX, &request) == 0;
    close(fd);
    return is_known ? (uint32_t)request.ifr_ifindex : 0;
}

static bool take_conf_line(void *ctx, char *line)
{
    np_dns_conf_line(ctx, line);
    return true;
}

static void read_conf(struct np_dns_conf *conf)
{
    conf->zone = zone_index;
    np_dns_conf_init(conf);
    (void)np_posix_read_lines("/etc/resolv.conf", take_conf_line, conf);
    if (conf->servers_count == 0) {
        (void)np_addr_parse(&conf->servers[conf->servers_count++], "127.0.0.1:53", 12);
    }
}

static bool take_hosts_line(void *ctx, char *line)
{
    struct job *job = ctx;

    job->addrs_len += np_dns_hosts_line(line, job->name, &job->addrs[job->addrs_len]);
    return job->addrs_len < NP_MAX_ADDRS;
}

/* What is known without asking anyone. */
static bool is_known_here(struct job *job)
{
    if (np_addr_parse_ip(&job->addrs[0], job->name, (uint32_t)strlen(job->name), 0)) {
        job->addrs_len = 1;
        return true;
    }
    (void)np_posix_read_lines("/etc/hosts", take_hosts_line, job);
    if (job->addrs_len == 0 && strcmp(job->name, "localhost") == 0) { /* RFC 6761 */
        (void)np_addr_parse_ip(&job->addrs[0], "127.0.0.1", 9, 0);
        job->addrs_len = 1;
    }
    return job->addrs_len > 0;
}

/* ---- what the platform calls ----------------------------------------------------------------- */

static struct np_posix_resolver *open_resolver(struct np_plat *plat)
{
    size_t bytes = sizeof(struct np_posix_resolver) + plat->queries_cap * sizeof(struct job);
    struct np_posix_resolver *r =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (r == MAP_FAILED) {
        return NULL;
    }
    r->map_bytes = bytes;
    r->jobs_cap = plat->queries_cap;
    plat->query_due_ms = UINT64_MAX;
    return r;
}

static uint32_t free_job(const struct np_posix_resolver *r)
{
    uint32_t i = 0;

    while (i < r->jobs_cap && r->jobs[i].state != JOB_FREE) {
        i++;
    }
    return i < r->jobs_cap ? i : NP_POSIX_NONE;
}

static void begin(struct np_plat *plat, struct np_posix_handle *h, const char *name, size_t len)
{
    struct np_posix_resolver *r = plat->resolver;
    struct job *job = &r->jobs[h->extra];
    uint32_t dots = 0;

    memset(job, 0, sizeof(*job));
    r->jobs_used++;
    job->owner = np_posix_name(plat, h);
    job->state = JOB_ASKING;
    memcpy(job->name, name, len + 1);
    if (is_known_here(job)) {
        finish(plat, h, NP_OK);
        return;
    }
    read_conf(&r->conf);
    for (size_t i = 0; i < len; i++) {
        dots += name[i] == '.';
    }
    job->is_bare_left = true;
    if (dots >= r->conf.dots || name[len - 1] == '.') {
        job->search_at = (uint16_t)strlen(r->conf.search); /* the name is whole */
    }
    ask_next_name(plat, h);
}

enum np_err np_plat_resolve(struct np_plat *plat, const char *name, uint32_t tag, uint32_t *handle)
{
    size_t len = strnlen(name, NP_MAX_HOST + 1);

    if (len == 0 || len > NP_MAX_HOST) {
        return NP_ERR_INVALID;
    }
    if (plat->resolver == NULL && (plat->resolver = open_resolver(plat)) == NULL) {
        return NP_ERR_NO_HANDLES;
    }
    uint32_t job = free_job(plat->resolver);
    struct np_posix_handle *h =
        job == NP_POSIX_NONE ? NULL : np_posix_acquire(plat, NP_POSIX_QUERY, -1, tag);
    if (h == NULL) {
        return NP_ERR_NO_HANDLES;
    }
    *handle = np_posix_name(plat, h);
    h->extra = job;
    begin(plat, h, name, len);
    return NP_OK;
}

void np_posix_query_cancel(struct np_plat *plat, struct np_posix_handle *h)
{
    plat->resolver->jobs[h->extra].state = JOB_FREE;
    plat->resolver->jobs_used--;
}

int32_t np_plat_resolve_result(struct np_plat *plat, uint32_t handle, struct np_addr *addrs,
                               uint32_t cap)
{
    struct np_posix_handle *h = np_posix_get(plat, handle, NP_POSIX_QUERY);
    if (h == NULL) {
        return NP_ERR_STALE;
    }
    const struct job *job = &plat->resolver->jobs[h->extra];
    if (job->state != JOB_DONE) {
        return NP_ERR_AGAIN;
    }
    uint32_t count = job->addrs_len < cap ? job->addrs_len : cap;
    int32_t result = job->err != NP_OK ? job->err : (int32_t)count;
    memcpy(addrs, job->addrs, count * sizeof(addrs[0]));
    np_posix_query_cancel(plat, h);
    np_posix_release(plat, h);
    return result;
}

uint32_t np_posix_queries_used(const struct np_plat *plat)
{
    return plat->resolver == NULL ? 0 : plat->resolver->jobs_used;
}

void np_posix_resolver_close(struct np_plat *plat)
{
    if (plat->resolver != NULL) {
        munmap(plat->resolver, (size_t)plat->resolver->map_bytes);
        plat->resolver = NULL;
    }
}
#endif
