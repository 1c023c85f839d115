/* SPDX-License-Identifier: BSD-3-Clause */
/* office: one simulated master with its API, users who drive it, visitors of its instances.
 *
 *   office_run    phase 1 (faults of network, disk and process), quiet, end
 *
 * Users ask at random, several at once. What they were answered must come true, every request is
 * answered or its connection closed in time, and what lies on the disk is what the memory holds.
 */
#ifndef NP_TESTS_SIM_OFFICE_H
#define NP_TESTS_SIM_OFFICE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/settings.h"
#include "core/np_app.h"
#include "platform/np_plat.h"
#include "platform/sim/sim.h"

#define OFFICE_USERS 6u
#define OFFICE_KNOWN 128u /* instances whose fate is followed */
#define OFFICE_GUESTS 8u  /* visitors at a time */
#define OFFICE_ANSWER (192u * 1024u)
#define OFFICE_API_PORT 9000u
#define OFFICE_FIRST_PORT 7000u
#define OFFICE_PORTS 6u /* few, so that instances meet at them */
#define OFFICE_TARGET_PORT 8080u
#define OFFICE_ID_LEN 8u
#define OFFICE_SECOND UINT64_C(1000000)

/* What a user asks for. */
enum office_ask {
    ASK_LIST,
    ASK_ONE,
    ASK_CREATE,
    ASK_CREATE_BAD,
    ASK_PATCH,
    ASK_PUT,
    ASK_DELETE,
    ASK_INFO,
    ASK_ALIAS,
    ASK_TCPING,
    ASK_METRICS,
    ASK_EVENTS,
    ASK_WRONG_KEY,
    ASK_ROTATE,
    ASK_NONSENSE,
    ASK_HALF, /* a request that never ends */
    ASK_COUNT
};

/* An instance that an answer has told of. */
struct office_known {
    char id[OFFICE_ID_LEN + 1];
    bool may_be_gone; /* somebody has asked to delete it */
    bool is_gone;     /* and was told that it is */
    bool is_unsure;   /* the disk may not have it */
};

struct office;

struct office_user {
    struct office *office;
    uint32_t index, handle;
    uint32_t mask; /* what the host waits for */
    bool is_open, is_connected, is_asking, is_stream, is_deaf;
    uint8_t ask;      /* enum office_ask */
    uint32_t subject; /* index in known, UINT32_MAX = none */
    uint64_t next_us, asked_us;
    bool was_ill; /* the network, or the program, when it asked */
    char request[4096];
    uint32_t request_len, sent;
    char *answer;
    uint32_t answer_len;
    uint32_t generation; /* of the master when it connected */
};

struct office_guest {
    uint32_t handle;
    bool is_open;
    uint64_t end_us;
};

struct office {
    struct np_sim *sim;
    uint64_t seed, rng[2];
    struct np_plat *plat, *users_host, *guests_host, *target_host;
    struct np_app *app;
    uint8_t *memory;
    uint64_t memory_cap, memory_len;
    struct np_settings settings[2];
    uint32_t settings_count;
    struct np_tuning tuning;
    uint32_t generation;    /* starts so far */
    bool has_net_faults;    /* the network is ill: deadlines do not count */
    bool had_net_faults;    /* ... or was in this scene */
    bool has_disk_faults;   /* the disk may fail now */
    bool had_disk_faults;   /* ... or has in this scene */
    uint64_t dead_us;       /* since then no save can work; 0 = some can */
    uint64_t unsaved_us;    /* since then a change was taken that is not on the disk; 0 = none */
    bool is_quiet, is_over; /* users ask no more; the end */
    bool has_rotated;       /* one new key a scene */
    uint32_t wrong_keys;    /* asked with, few: ten close the door for a minute */
    uint32_t user_count, answered;
    struct office_user users[OFFICE_USERS];
    char answers[OFFICE_USERS][OFFICE_ANSWER];
    struct office_known known[OFFICE_KNOWN];
    uint32_t known_count;
    struct office_guest guests[OFFICE_GUESTS];
    uint32_t target_door;
    uint32_t target_handles[64];
    uint32_t target_count;
};

/* ---- office.c ---- */
/* Returns NULL or what failed (owned by the world). */
const char *office_run(struct office *office, struct np_sim *sim, uint64_t seed, bool is_verbose);
void office_release(struct office *office);
uint32_t office_pick(struct office *office, uint32_t range);
bool office_chance(struct office *office, uint32_t percent);

/* ---- office_users.c ---- */
void users_open(struct office *office);
/* Step of their host. */
void users_step(void *context);
/* Nobody waits for an answer. */
bool users_are_done(const struct office *office);
/* Ends all connections. */
void users_leave(struct office *office);

/* ---- office_asks.c ---- */
/* Writes the next request of `user`. */
void ask_make(struct office_user *user);
/* Judges a whole answer. */
void ask_take(struct office_user *user);
/* The connection ended without an answer. */
void ask_lose(struct office_user *user);
/* Bytes of the answer that is whole, 0 = not yet. */
uint32_t ask_whole_len(const struct office_user *user);
/* Milliseconds within which the answer has to be there. */
uint32_t ask_limit_ms(const struct office_user *user);

/* ---- office_check.c ---- */
/* Records, slots and running tunnels fit each other. */
void check_records(struct office *office);
/* What users were told has come true. */
void check_known(struct office *office);
/* The disk has what the memory holds; `is_exact`: counters too. */
void check_disk(struct office *office, bool is_exact);
/* The API holds something for users who are gone, or have just gone. */
bool has_leftovers(const struct office *office);
/* The API holds nothing for users who are gone. */
void check_idle(struct office *office);

#endif
