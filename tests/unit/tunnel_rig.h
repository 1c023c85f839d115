/* SPDX-License-Identifier: BSD-3-Clause */
/* tunnel_rig: servers, clients and the people around them on simulated hosts, for straight-line
 * tests of core/tunnel.
 *
 *   host "server" 10.0.0.1    an app with one or two instances
 *   host "client" 10.0.0.2    the same
 *   host "people" 10.0.0.3    visitors, and a target at port 8080 that does what the first byte
 *                             of each connection asks for (enum wish)
 */
#ifndef NP_TESTS_UNIT_TUNNEL_RIG_H
#define NP_TESTS_UNIT_TUNNEL_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "core/np_app_state.h"
#include "platform/sim/sim.h"

#define PEOPLE 400u
#define RIG_BUILT_S 1769904000 /* "the program was made" on 2026-02-01 */
#define RIG_SERVER 0u
#define RIG_CLIENT 1u
#define RIG_TARGET_PORT 8080u

/* First byte of a visitor's connection: what its target does. */
enum wish {
    WISH_ECHO = 'e',   /* sends back what comes */
    WISH_POUR = 'p',   /* sends 1 MB */
    WISH_IGNORE = 'i', /* reads no further byte */
    WISH_AFTER = 'a',  /* waits for the end, then sends 1 MB and closes */
};

struct person {
    uint32_t handle; /* NP_HANDLE_NONE: free, or ended */
    bool is_target, is_paused;
    bool saw_end;     /* the far end closed in order */
    enum np_err err;  /* why the connection failed */
    char wish;        /* a target's order */
    uint64_t to_send; /* bytes still to be sent */
    uint64_t received;
    uint32_t head_len;
    uint8_t head[64]; /* first bytes received */
};

struct rig_side {
    struct np_plat *plat;
    struct np_app *app;
    void *memory;
    struct np_settings settings[2];
    const struct np_settings *list[2];
    uint32_t count;
    char log[1u << 16]; /* the first lines, each with a newline */
    uint32_t log_len;
    struct tunnel_rig *rig;
};

struct tunnel_rig {
    struct np_sim *sim;
    struct rig_side sides[2];
    struct np_tuning tuning;
    struct np_plat *people_plat;
    uint32_t target;
    struct person people[PEOPLE];
    uint32_t people_count;
};

/* An empty world; the rig's tuning may be changed before a start. One at a time (static memory). */
struct tunnel_rig *tunnel_rig_open(uint64_t seed);
/* Starts an app with the instances of `urls` (second may be NULL) on a host. */
void tunnel_rig_start(struct tunnel_rig *rig, uint32_t side, const char *first, const char *second);
/* The usual pair: a server with visitors at 10.0.0.1:9000, its client with the target; `query` goes
 * to both ("tls=1"). Runs until both are up. */
void tunnel_rig_start_pair(struct tunnel_rig *rig, const char *server_query,
                           const char *client_query);
void tunnel_rig_run_ms(struct tunnel_rig *rig, uint32_t ms);
/* Runs until `is_done` or for `ms`. Returns whether it is done. */
bool tunnel_rig_run_until(struct tunnel_rig *rig, bool (*is_done)(struct tunnel_rig *),
                          uint32_t ms);
bool tunnel_rig_is_up(struct tunnel_rig *rig);

/* A connection from "people" to any address; sends `head` first. Its place in rig->people. */
struct person *tunnel_rig_connect(struct tunnel_rig *rig, struct np_addr to, const void *head,
                                  uint32_t head_len);
/* A visitor of the pair. */
struct person *tunnel_rig_visit(struct tunnel_rig *rig, enum wish wish);
/* Lets a person read again. */
void tunnel_rig_resume(struct tunnel_rig *rig, struct person *person);
/* Sends bytes now; they must fit the socket. */
void tunnel_rig_say(struct tunnel_rig *rig, struct person *person, const void *bytes, uint32_t len);
/* Ends a connection by a reset. */
void tunnel_rig_hang_up(struct tunnel_rig *rig, struct person *person);
/* True if a new visitor gets 1,000 bytes back within `ms`. */
bool tunnel_rig_has_echo(struct tunnel_rig *rig, uint32_t ms);

struct np_app_stats tunnel_rig_stats(const struct tunnel_rig *rig, uint32_t side, uint32_t index);
/* How often `text` stands in the host's log. */
uint32_t tunnel_rig_log_count(const struct tunnel_rig *rig, uint32_t side, const char *text);

/* Stops both apps and checks that they hold nothing. */
void tunnel_rig_close(struct tunnel_rig *rig);

#endif
