/* SPDX-License-Identifier: BSD-3-Clause */
/* http_rig: an HTTP server of the core on the simulated platform, and clients on the same host. */
#ifndef NP_TESTS_UNIT_HTTP_RIG_H
#define NP_TESTS_UNIT_HTTP_RIG_H

#include "core/np_app_state.h"
#include "platform/sim/sim.h"

#define RIG_TEXT_CAP (4u << 20)

/* One end that talks to the server: plain, or TLS through a channel of its own. */
struct rig_client {
    uint32_t handle, channel;
    char *text; /* all that was received, NUL-terminated */
    uint32_t len;
    bool is_closed; /* EOF or an error was read */
    enum np_err end;
};

struct rig {
    struct np_sim *sim;
    struct np_plat *plat;
    struct np_app *app;
    void *memory;
    struct np_settings settings;
    struct np_tuning tuning;
    struct np_instance master, visitor; /* visitor: the TLS client's side */
    struct np_http_server server;
    struct np_addr at;
    uint32_t later;       /* handle of a connection whose answer is kept back */
    uint32_t requests;    /* handled so far */
    uint32_t big_count;   /* elements of /big, records of /events */
    uint32_t element_len; /* bytes of each */
    char log[4096];       /* what the server logged */
    uint32_t log_len;
};

/* `send_buf`: bytes a socket takes. */
void rig_open(struct rig *rig, bool has_tls, uint32_t send_buf);
/* Stops the server at once and checks that everything came back. */
void rig_close(struct rig *rig);
/* Runs the server's loop for `ms` of virtual time. */
void rig_run(struct rig *rig, uint32_t ms);

void rig_connect(struct rig *rig, struct rig_client *client);
/* Connects and does the TLS handshake. */
void rig_connect_tls(struct rig *rig, struct rig_client *client);
/* Sends all of it, reading nothing meanwhile. */
void rig_send(struct rig *rig, struct rig_client *client, const char *text);
void rig_send_bytes(struct rig *rig, struct rig_client *client, const void *bytes, uint32_t len);
/* TLS: all of it in records of `piece` bytes that arrive together. */
void rig_send_records(struct rig *rig, struct rig_client *client, const char *text, uint32_t piece);
/* Takes what has arrived, at most `most` bytes. Returns how many came. */
uint32_t rig_read(struct rig *rig, struct rig_client *client, uint32_t most);
/* Runs and reads until nothing comes for 50 ms. */
void rig_read_all(struct rig *rig, struct rig_client *client);
/* Forgets what was received so far. */
void rig_forget(struct rig_client *client);
void rig_hang_up(struct rig *rig, struct rig_client *client);
/* Sends and reads the answer. */
const char *rig_ask(struct rig *rig, struct rig_client *client, const char *request);

uint32_t rig_count(const char *text, const char *part);
/* Takes chunk framing off the body of the answer in text, in place; false: it is broken. */
bool rig_unchunk(char *text);

#endif
