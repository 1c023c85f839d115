/* SPDX-License-Identifier: BSD-3-Clause */
/* go: inside of the Go v1.6.0 peer model; what go*.c share.
 *
 * It does what that program does on the wire, flaws included. It cuts its lines at every 0x0a and
 * restarts when a piece is no URL it knows. It sends lines without a thought for 0x0a. It looks
 * once for the connection of a launch and says nothing if there is none. It does not pass on the
 * end of a stream. It puts a used connection that is still open back into its pool, under its id.
 * Its server greets one connection at a time and sleeps after a wrong key.
 */
#ifndef NP_TESTS_SIM_GO_H
#define NP_TESTS_SIM_GO_H

#include "tests/sim/scene.h"

#define GO_CONNS 160u
#define GO_RELAYS 128u
#define GO_WAITS 64u
#define GO_READ 2048u /* bytes of one read, as its buffers have */
#define GO_ID 8u

enum go_state { GO_COOLING, GO_DIALING, GO_EXPECT_LINE, GO_UP };
enum go_conn_state {
    GO_CONN_FREE,
    GO_CONN_DIALING,
    GO_CONN_EXPECT_ID,
    GO_CONN_IDLE,
    GO_CONN_BUSY,
    GO_CONN_DRAINING /* used; goes back into the pool if nothing ends it */
};
enum go_tag {
    GO_TAG_LISTENER = 1,
    GO_TAG_TCP,
    GO_TAG_UDP,
    GO_TAG_CONTROL,
    GO_TAG_CONN,
    GO_TAG_LOCAL
};

struct go_conn {
    uint8_t state;          /* enum go_conn_state */
    uint32_t handle, relay; /* handle 0 while idle: it died and nobody looked */
    char id[GO_ID + 1];
    uint32_t id_len;
    uint64_t order, until_us;
};

/* Two copies; direction 0 is from the pool connection, 1 towards it. */
struct go_relay {
    bool is_used, is_udp, is_connected, is_remote_alive;
    bool done[2];
    bool is_dead[2];      /* 0 local, 1 remote: failed while nobody read it */
    uint32_t conn, local; /* local NONE: the UDP door */
    struct np_addr peer;
    uint64_t until_us; /* UDP: idle limit */
    uint32_t len[2], off[2];
    uint8_t hold[2][GO_READ];
};

struct go_wait {
    uint32_t handle;
    struct np_addr peer;
    uint64_t until_us;
};

struct go {
    struct scene *scene;
    struct np_plat *plat;
    bool is_server, accepts;
    uint8_t state; /* enum go_state */
    char flow;
    uint32_t max, capacity, bad_answers;
    uint32_t listener, door_tcp, door_udp, control;
    struct np_addr peer;
    uint32_t len;
    uint8_t in[1024];
    uint64_t until_us, heard_us, ping_us, fill_us, order;
    struct go_conn conns[GO_CONNS];
    struct go_relay relays[GO_RELAYS];
    struct go_wait waits[GO_WAITS];
    uint32_t wait_count;
};

static inline uint32_t go_tag(enum go_tag kind, uint32_t index)
{
    return (uint32_t)kind << 16 | index;
}

/* ---- go_line.c ---- */
struct go_url {
    char host[128], path[128], fragment[32];
};
/* False if net/url would refuse it or a part is missing that every message has. */
bool go_url_parse(struct go_url *url, const char *text);
/* XORs and sends one line; what does not fit at once is a broken tunnel. */
bool go_send(struct go *go, const char *text);
void go_xor(const struct go *go, uint8_t *bytes, uint32_t len);

/* ---- go_nonsense.c ---- */
/* Sends one odd thing: lines that are no signal, unknown ids, ids in use, floods, no newline. */
void go_talk_nonsense(struct go *go);

/* ---- go.c ---- */
uint64_t go_now(const struct go *go);
/* The tunnel ends: everything is closed, the next attempt comes after the cool-down. */
void go_restart(struct go *go, const char *why);
struct go_conn *go_oldest(struct go *go);
struct go_conn *go_find(struct go *go, const char *id);
bool go_has_visitors(const struct go *go);

/* ---- go_relay.c ---- */
void go_launched(struct go *go, const char *id, bool is_udp);
void go_accept_visitors(struct go *go);
void go_serve_waiting(struct go *go);
void go_on_door_udp(struct go *go);
void go_relay_step(struct go *go, uint32_t index, uint32_t handle, uint32_t flags);
void go_relay_tick(struct go *go);
void go_end_relays(struct go *go);

#endif
