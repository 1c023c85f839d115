/* SPDX-License-Identifier: BSD-3-Clause */
/* scene: one simulated network: our programs, a Go peer, visitors, targets, faults, what must hold.
 *
 *   plan_make    what the seed chose         scene_run    phase 1 (faults), phase 2 (healed), end
 *
 * Every byte of a session is f(number of the sender, offset), and each direction starts with that
 * number, so that a byte that is lost, doubled, moved or of somebody else shows at once.
 */
#ifndef NP_TESTS_SIM_SCENE_H
#define NP_TESTS_SIM_SCENE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "config/settings.h"
#include "core/np_app.h"
#include "core/wire/dialect.h"
#include "platform/np_plat.h"
#include "platform/sim/sim.h"

#define SESSIONS 96u
#define TARGETS 192u
#define UDP_VISITORS 12u
#define UDP_SEQS 40u
#define HEADER 8u /* bytes in front of each direction: magic and number */
#define NONE UINT32_MAX
#define SECOND UINT64_C(1000000)

#define PORT_TUNNEL 7000u
#define PORT_VISITORS 9000u
#define PORT_TARGET 8080u

enum topology { TOPO_SINGLE, TOPO_REVERSE, TOPO_FORWARD };

/* Faults of phase 1. Those of MILD must not cost a session. */
enum fault {
    FAULT_LOSS = 1 << 0,
    FAULT_JITTER = 1 << 1,
    FAULT_CHOP = 1 << 2,       /* streams arrive in tiny pieces */
    FAULT_SLOW = 1 << 3,       /* little bandwidth */
    FAULT_SMALL_BUF = 1 << 4,  /* tiny socket buffers */
    FAULT_PARTIAL = 1 << 5,    /* short reads and writes */
    FAULT_WAKE = 1 << 6,       /* hosts run late */
    FAULT_INTRUDER = 1 << 7,   /* strangers at the tunnel port */
    FAULT_PARTITION = 1 << 8,  /* server and client lose each other for a while */
    FAULT_ONE_WAY = 1 << 9,    /* ... in one direction */
    FAULT_RESET = 1 << 10,     /* connections are reset by the network */
    FAULT_BLACKHOLE = 1 << 11, /* connections go silent for good */
    FAULT_KILL_SERVER = 1 << 12,
    FAULT_KILL_CLIENT = 1 << 13,
    FAULT_CRASH_SERVER = 1 << 14,
    FAULT_CRASH_CLIENT = 1 << 15,
    FAULT_TARGET_DOWN = 1 << 16,   /* refuses */
    FAULT_TARGET_SILENT = 1 << 17, /* partition */
    FAULT_HANDLES = 1 << 18,
    FAULT_NO_MEMORY = 1 << 19,
    FAULT_DNS = 1 << 20,
    FAULT_UDP_NET = 1 << 21, /* datagrams lost, doubled, late */
    FAULT_BUSY = 1 << 22,    /* ports are taken by others at the start */
    FAULT_READDRESS = 1 << 23,
    FAULT_RUDE = 1 << 24,      /* visitors and targets abort */
    FAULT_STALL = 1 << 25,     /* ends that stop reading */
    FAULT_SLOTS = 1 << 26,     /* more visitors than slots */
    FAULT_STOP_BUSY = 1 << 27, /* stopped during transfers */
    FAULT_GARBAGE = 1 << 28    /* a Go peer that says what makes no sense */
};
#define MILD                                                                                       \
    (FAULT_LOSS | FAULT_JITTER | FAULT_CHOP | FAULT_SLOW | FAULT_SMALL_BUF | FAULT_PARTIAL |       \
     FAULT_WAKE | FAULT_INTRUDER | FAULT_UDP_NET | FAULT_STOP_BUSY)

struct plan {
    enum topology topology;
    bool go_server, go_client; /* the Go model plays this part */
    uint32_t faults;
    uint64_t phase1_us;
    uint32_t tcp_sessions, udp_visitors;
    bool has_source; /* dial= */
    bool proxy, has_names, is_default_key, is_auto, noudp, notcp;
    uint32_t rate_mbps, slot, min, max, tls;
    uint32_t latency_us;
    uint8_t key[64];
    uint32_t key_len;
    struct np_tuning tuning;
};

/* How an end of a session finishes. */
enum finish {
    FINISH_WAIT,  /* closes when the far end has ended */
    FINISH_HALF,  /* half close after all is sent, closes when the far end has ended */
    FINISH_DONE,  /* closes when all is sent and all received */
    FINISH_CLOSE, /* closes as soon as all is sent */
    FINISH_ABORT  /* resets at abort_at bytes */
};

/* One end of a conversation: a visitor, or a connection at the target. */
struct side {
    struct scene *scene;
    struct np_plat *plat;
    uint32_t handle;
    bool is_visitor, is_connected, is_closed, is_paused;
    bool fin_sent, saw_eof;
    enum np_err err;          /* why the connection failed */
    uint8_t finish;           /* enum finish */
    uint32_t number, session; /* session NONE: not known yet (target) */
    uint8_t head[HEADER];
    uint64_t to_send, sent, received, abort_at;
    uint32_t chunk, gap_us, read_max, stall_us;
    uint32_t trickle_us; /* pauses so long after each read from stall_at on */
    uint64_t stall_at;   /* stops reading there for stall_us */
    uint64_t send_after_us;
    uint64_t closed_us, ended_us; /* closed here; the far end's end was seen */
    uint32_t proxy_len;           /* PROXY line seen so far */
    char proxy[128];
};

struct session {
    struct side visitor;
    uint32_t target; /* index in targets, NONE = not there yet */
    uint64_t up_total, down_total;
    uint64_t start_us;
    bool is_started, is_excused; /* a fault may have cost it */
    bool target_first;           /* the target speaks at once */
    uint8_t target_finish;
    uint64_t target_abort_at;
    uint32_t target_chunk, target_gap_us, target_stall_us, target_trickle_us;
    struct np_addr visitor_addr;
};

struct udp_visitor {
    uint32_t handle;
    struct np_addr addr;
    uint32_t count, gap_us; /* datagrams to send */
    uint32_t sent, replies, empties_sent;
    uint16_t lens[UDP_SEQS];
    uint8_t at_target[UDP_SEQS], at_visitor[UDP_SEQS];
    struct np_addr source; /* as the target sees it */
};

/* Our program on a host. */
struct app {
    struct scene *scene;
    struct np_plat *plat;
    struct np_app *app;
    struct np_settings settings;
    const struct np_settings *list[1];
    uint8_t *memory;
    uint64_t memory_cap, memory_len;
    bool is_ours;
    uint32_t generation;              /* starts so far */
    uint64_t log_second, dial_second; /* virtual second that the two counts below are of */
    uint32_t log_lines;
    uint32_t dials_before;                                /* dials when that second began */
    uint64_t rate_at_us[2], rate_bytes[2], rate_level[2]; /* leaky bucket of what was counted */
};

struct go;

struct scene {
    struct np_sim *sim;
    uint64_t seed;
    uint64_t rng[2];
    struct plan plan;
    struct app server, client;
    struct go *go_server, *go_client;
    struct np_plat *visitors, *targets, *intruder;
    struct session sessions[SESSIONS];
    uint32_t session_count;
    struct side target_sides[TARGETS];
    uint32_t target_count;
    uint32_t target_listener, target_udp;
    struct udp_visitor udp[UDP_VISITORS];
    uint32_t udp_count, target_empties;
    bool is_healed, is_over, is_verbose;
    bool is_key_bad; /* our program said that the key has no clean encoding */
    bool was_late;   /* loss kept an id away for longer than a launch waits */
    bool was_killed; /* a program died: its system may have ended streams early */
    uint32_t intruders[8], intruder_bytes[8], intruder_count;
    uint64_t healed_us;
};

/* ---- plan.c ---- */
uint64_t pick64(struct scene *scene);
uint32_t pick(struct scene *scene, uint32_t range); /* 0 to range - 1 */
uint32_t pick_between(struct scene *scene, uint32_t low, uint32_t high);
bool pick_chance(struct scene *scene, uint32_t percent);
void plan_make(struct scene *scene);
/* Writes the plan in words to `out`. */
void plan_print(const struct scene *scene, FILE *out);
bool plan_is_mild(const struct scene *scene);
void settings_make(struct scene *scene, struct np_settings *settings, enum np_role role);

/* ---- content.c ---- */
void content_fill(uint8_t *out, uint32_t number, uint64_t offset, uint32_t len);
/* Offset of the first wrong byte, or `len`. */
uint32_t content_check(const uint8_t *in, uint32_t number, uint64_t offset, uint32_t len);

/* ---- side.c ---- */
void side_step(struct side *side, uint32_t flags);
void side_open(struct side *side, struct scene *scene, struct np_plat *plat, uint32_t handle);
void side_close(struct side *side, bool with_reset);
void side_learn(struct side *side);

/* ---- ends.c ---- */
void visitors_step(void *context);
void targets_step(void *context);
void visitors_open(struct scene *scene);
void targets_open(struct scene *scene);
struct session *session_plan(struct scene *scene);
void session_start(struct scene *scene, uint32_t index);
struct np_addr visitor_door(const struct scene *scene);
bool session_is_over(const struct scene *scene, const struct session *session);

/* ---- datagrams.c ---- */
void udp_open(struct scene *scene, uint32_t count, uint64_t within_us);
void udp_target_step(struct scene *scene, uint32_t flags);
void udp_visitor_step(struct scene *scene, uint32_t index);

/* ---- ours.c ---- */
void app_open(struct app *app, struct scene *scene, struct np_plat *plat, enum np_role role);
void app_start(struct app *app);
void app_kill(struct app *app, bool is_crash);
void app_step(void *context);
void app_release(struct app *app);
/* False if something wrote behind the memory it was given. */
bool app_has_guard(const struct app *app);
bool app_stats(const struct app *app, struct np_app_stats *stats);
/* The app where visitors come in, where targets are connected; NULL if the Go model plays it. */
struct app *visitor_app(struct scene *scene);
struct app *target_app(struct scene *scene);

/* ---- faults.c ---- */
void faults_schedule(struct scene *scene);
void faults_heal(struct scene *scene);
void links_make(struct scene *scene);
void intruder_step(void *context);

/* ---- check.c: the invariants of reliability.md 1, by number ---- */
void check_stream_end(struct side *side);                           /* 1: end of stream seen */
void check_complete(struct scene *scene, uint32_t first);           /* 1: sessions from `first` */
void check_pairing(struct scene *scene, const struct side *target); /* 2 */
bool has_released(const struct scene *scene);                       /* 3 */
void check_stopped(struct scene *scene, struct app *app);           /* 4 */
void check_memory(struct scene *scene, const struct app *app);      /* 5 */
void check_backlog(const struct side *sender);                      /* 5 */
void check_counters(struct scene *scene);                           /* 6 */
void check_turn(struct app *app);                                   /* 7, 8: after each turn */
void check_log_line(struct app *app, uint32_t level, const char *line, uint32_t len); /* 8 */
void check_datagrams(struct scene *scene);                                            /* 10 */

/* ---- go.c: a Go v1.6.0 peer as bytes ---- */
void go_open(struct scene *scene, struct np_plat *plat, bool is_server);
void go_step(void *context);
bool go_is_up(const struct go *go);

/* ---- scene.c ---- */
/* Returns NULL or what failed (owned by the world). */
const char *scene_run(struct scene *scene, struct np_sim *sim, uint64_t seed, bool is_verbose);
bool is_up(struct scene *scene);
void scene_release(struct scene *scene);

#endif
