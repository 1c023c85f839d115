/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE /* getrandom, SOCK_CLOEXEC */
#include "port/posix/ctl_conn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "core/base/built.h"
#include "core/base/fmt.h"
#include "core/tls/key_pair.h"
#include "platform/np_plat.h"
#include "platform/posix/posix.h"

#define CONNECT_MS 10000
#define LOOK_UP_TURNS 60 /* of a second */

/* ---- plain bytes ----------------------------------------------------------------------------- */

static bool fail(struct np_ctl_conn *conn, const char *text)
{
    if (conn->why[0] == '\0') {
        np_fmt(conn->why, sizeof conn->why, "%s", text);
    }
    return false;
}

static bool fail_system(struct np_ctl_conn *conn)
{
    return fail(conn, errno == EAGAIN ? "the master fell silent" : np_posix_error_text(errno));
}

static bool write_all(struct np_ctl_conn *conn, const void *bytes, size_t len)
{
    const char *at = bytes;

    while (len > 0) {
        ssize_t n = send(conn->fd, at, len, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR) {
            return fail_system(conn);
        }
        at += n < 0 ? 0 : n;
        len -= n < 0 ? 0 : (size_t)n;
    }
    return true;
}

/* As np_ctl_conn_recv, below TLS. */
static int32_t read_some(struct np_ctl_conn *conn, void *out, size_t cap)
{
    ssize_t n;

    do {
        n = recv(conn->fd, out, cap, 0);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? (int32_t)fail_system(conn) - 1 : (int32_t)n;
}

/* One address, at most CONNECT_MS. Returns the descriptor or -1 with errno. */
static int connect_one(const struct np_addr *addr, uint32_t silence_s)
{
    struct sockaddr_storage at;
    socklen_t at_len = np_posix_sockaddr_of(addr, &at);
    int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {(time_t)silence_s, 0};
    struct pollfd wait = {fd, POLLOUT, 0};
    socklen_t len = sizeof(int);
    int error = 0;

    if (fd < 0) {
        return -1;
    }
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    if (connect(fd, (struct sockaddr *)&at, at_len) != 0) {
        if (errno != EINPROGRESS) {
            error = errno;
        } else if (poll(&wait, 1, CONNECT_MS) != 1) {
            error = ETIMEDOUT;
        } else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
            error = errno;
        }
    }
    (void)fcntl(fd, F_SETFL, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (error != 0) {
        (void)close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* The addresses of a name, by a platform made for that. Returns how many, or an error. */
static int32_t look_up(const char *name, struct np_addr *addrs, uint32_t cap)
{
    struct np_posix_config config = {
        .handles = 2, .buffers = 1, .buffer_bytes = 4096, .pipes = 1, .queries = 1};
    struct np_plat *plat = np_posix_open(&config);
    struct np_event event;
    uint32_t query;
    int32_t result = plat == NULL ? NP_ERR_NO_MEMORY : np_plat_resolve(plat, name, 0, &query);

    for (uint32_t i = 0; result == NP_OK || (result == NP_ERR_AGAIN && i < LOOK_UP_TURNS); i++) {
        (void)np_plat_poll(plat, &event, 1, 1000);
        result = np_plat_resolve_result(plat, query, addrs, cap);
    }
    np_posix_close(plat);
    (void)signal(SIGPIPE, SIG_DFL); /* ends us when nobody reads what we print */
    return result == NP_ERR_AGAIN ? NP_ERR_TIMED_OUT : result;
}

static bool connect_any(struct np_ctl_conn *conn, const struct np_ctl_where *where,
                        uint32_t silence_s)
{
    struct np_addr addrs[NP_MAX_ADDRS];
    int32_t count = look_up(where->host, addrs, NP_MAX_ADDRS);
    uint64_t port = 0;

    if (count <= 0) {
        np_fmt(conn->why, sizeof conn->why, "%s: %s", where->host,
               count == NP_ERR_NOT_FOUND ? "no such name" : np_err_text((enum np_err)count));
        return false;
    }
    (void)np_parse_uint(where->port, (uint32_t)strlen(where->port), 65535, &port);
    errno = EHOSTUNREACH;
    for (int32_t i = 0; i < count && conn->fd < 0; i++) {
        addrs[i].port = (uint16_t)port;
        conn->fd = connect_one(&addrs[i], silence_s);
    }
    return conn->fd >= 0 || fail_system(conn);
}

/* ---- TLS ------------------------------------------------------------------------------------- */

static enum np_err fill_random(void *ctx, uint8_t *buf, uint32_t len)
{
    (void)ctx;
    return getrandom(buf, len, 0) == (ssize_t)len ? NP_OK : NP_ERR_IO;
}

static int64_t wall_s(void *ctx)
{
    (void)ctx;
    return (int64_t)time(NULL);
}

static int32_t read_roots(void *ctx, uint32_t offset, uint8_t *buf, uint32_t cap)
{
    ssize_t n = pread(((struct np_ctl_conn *)ctx)->roots_fd, buf, cap, (off_t)offset);

    return n < 0 ? NP_ERR_IO : (int32_t)n;
}

/* The system's CA certificates. */
static bool open_roots(struct np_ctl_conn *conn)
{
    static const char *const paths[] = {NP_CA_BUNDLES};

    conn->roots.read = read_roots;
    conn->roots.ctx = conn;
    conn->roots.entries = conn->entries;
    conn->roots.cap = NP_MAX_ROOTS;
    for (uint32_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        conn->roots_fd = open(paths[i], O_RDONLY | O_CLOEXEC);
        if (conn->roots_fd >= 0) {
            return np_roots_index(&conn->roots) == NP_OK ||
                   fail(conn, "the system's CA certificates can't be read");
        }
    }
    return fail(conn, "no CA certificates on this machine: want --pin, or --insecure");
}

static bool prepare_tls(struct np_ctl_conn *conn, const struct np_ctl_where *where)
{
    np_tls_engines_init(&conn->engines);
    conn->config.engines = &conn->engines;
    conn->config.random.fill = fill_random;
    conn->config.trust = &conn->trust;
    conn->config.server_name = where->host;
    conn->trust.ops = &np_verify_ops;
    conn->trust.policy = &conn->policy;
    conn->policy.wall_s = wall_s;
    conn->policy.floor_s = np_built_s;
    conn->policy.report = &conn->report;
    conn->policy.pin = where->has_pin ? where->pin : NULL;
    if (where->has_pin || where->is_unchecked) {
        return true;
    }
    conn->policy.roots = &conn->roots;
    conn->config.verify_name = where->host;
    return open_roots(conn);
}

static bool flush_tls(struct np_ctl_conn *conn)
{
    for (;;) {
        uint32_t len = np_tls_pending(&conn->tls, conn->out, sizeof conn->out);

        if (len == 0) {
            return true;
        }
        if (!write_all(conn, conn->out, len)) {
            return false;
        }
    }
}

/* What the engine or the verifier says. */
static bool fail_tls(struct np_ctl_conn *conn)
{
    char text[160];

    if (conn->report.reason == np_tls_reason(&conn->tls) && conn->report.text[0] != '\0') {
        np_fmt(conn->why, sizeof conn->why, "TLS: %s", conn->report.text);
    } else {
        np_tls_describe(&conn->tls, text, sizeof text);
        np_fmt(conn->why, sizeof conn->why, "TLS: %s", text);
    }
    return false;
}

static int32_t read_record_bytes(struct np_ctl_conn *conn)
{
    uint32_t left = conn->in_len - conn->in_at;

    memmove(conn->in, conn->in + conn->in_at, left);
    conn->in_at = 0;
    conn->in_len = left;
    int32_t n = read_some(conn, conn->in + left, sizeof conn->in - left);
    if (n == 0) {
        return np_tls_recv_end(&conn->tls, left) == NP_TLS_EOF ? 0 : (int32_t)fail_tls(conn) - 1;
    }
    conn->in_len += n > 0 ? (uint32_t)n : 0;
    return n;
}

/* One step of the engine. Returns 1 (goes on), 0 at the end of the stream, -1. */
static int32_t step_tls(struct np_ctl_conn *conn)
{
    struct np_tls_input input =
        np_tls_recv(&conn->tls, conn->in + conn->in_at, conn->in_len - conn->in_at);
    int32_t result = 1;

    conn->in_at += input.used;
    if (input.event == NP_TLS_RECEIVED) {
        conn->data = input.data;
        conn->data_len = input.len;
    } else if (input.event == NP_TLS_EOF) {
        result = 0;
    }
    if (!flush_tls(conn) && input.event != NP_TLS_ERROR) {
        return -1;
    }
    if (input.event == NP_TLS_ERROR) {
        return (int32_t)fail_tls(conn) - 1;
    }
    return input.event == NP_TLS_NEED ? read_record_bytes(conn) : result;
}

static bool shake_hands(struct np_ctl_conn *conn, const struct np_ctl_where *where)
{
    if (!prepare_tls(conn, where) ||
        np_tls_start(&conn->tls, NP_TLS_CLIENT, &conn->config, &conn->hs) != NP_OK) {
        return fail(conn, "TLS can't be started");
    }
    conn->is_tls = true;
    if (!flush_tls(conn)) {
        return false;
    }
    while (!np_tls_is_open(&conn->tls)) {
        int32_t step = step_tls(conn);

        if (step <= 0) {
            return fail(conn, "the master ended the TLS handshake: is it plain HTTP there?");
        }
    }
    return true;
}

/* ---- what others call ------------------------------------------------------------------------ */

bool np_ctl_conn_open(struct np_ctl_conn *conn, const struct np_ctl_where *where,
                      uint32_t silence_s)
{
    memset(conn, 0, offsetof(struct np_ctl_conn, entries));
    conn->fd = conn->roots_fd = -1;
    if (!connect_any(conn, where, silence_s) || (where->is_tls && !shake_hands(conn, where))) {
        np_ctl_conn_close(conn);
        return false;
    }
    return true;
}

bool np_ctl_conn_send(struct np_ctl_conn *conn, const char *bytes, uint32_t len)
{
    while (conn->is_tls && len > 0) {
        uint32_t part = len, most = np_tls_seal_max(&conn->tls);

        part = part > most ? most : part;
        part = part > 8192 ? 8192 : part;
        memcpy(conn->out + NP_TLS_HEADER_LEN, bytes, part);
        int32_t made = np_tls_seal(&conn->tls, conn->out, part, 0);
        if (made < 0) {
            return fail_tls(conn);
        }
        if (!write_all(conn, conn->out, (size_t)made)) {
            return false;
        }
        bytes += part;
        len -= part;
    }
    return len == 0 || write_all(conn, bytes, len);
}

int32_t np_ctl_conn_recv(struct np_ctl_conn *conn, char *out, uint32_t cap)
{
    if (!conn->is_tls) {
        return read_some(conn, out, cap);
    }
    while (conn->data_len == 0) {
        int32_t step = step_tls(conn);

        if (step <= 0) {
            return step;
        }
    }
    uint32_t len = conn->data_len < cap ? conn->data_len : cap;
    memcpy(out, conn->data, len);
    conn->data += len;
    conn->data_len -= len;
    return (int32_t)len;
}

void np_ctl_conn_close(struct np_ctl_conn *conn)
{
    if (conn->is_tls) {
        np_tls_close_write(&conn->tls);
        (void)flush_tls(conn);
        (void)np_tls_deinit(&conn->tls);
        conn->is_tls = false;
    }
    if (conn->roots_fd >= 0) {
        (void)close(conn->roots_fd);
    }
    if (conn->fd >= 0) {
        (void)close(conn->fd);
    }
    conn->fd = conn->roots_fd = -1;
}
