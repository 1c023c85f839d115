/* SPDX-License-Identifier: BSD-3-Clause */
/* settings: what one instance is told to do, and the timing of the whole process (config.md 2,
 * 3). Plain data: filled by url, query, env and ini, read by the core, never changed later. */
#ifndef NP_CONFIG_SETTINGS_H
#define NP_CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/np_config.h"
#include "core/base/addr.h"

enum np_role { NP_ROLE_NONE, NP_ROLE_SERVER, NP_ROLE_CLIENT, NP_ROLE_MASTER };

struct np_endpoint {
    char host[NP_MAX_HOST +
              1];      /* without brackets; empty = all addresses (listen) or loopback (dial) */
    uint16_t port;     /* 1 to 65535 */
    struct np_addr ip; /* set (with port) if host is an IP literal, else family NONE */
};

/* One instance. Strings are NUL-terminated; empty = not given. */
struct np_settings {
    char alias[NP_MAX_ALIAS + 1]; /* INI section name; empty for a URL on the command line */
    uint8_t role;                 /* enum np_role */
    uint8_t mode;                 /* 0 auto, 1, 2 */
    uint8_t log_level;            /* enum np_log_level */
    bool log_given;               /* log= was in the query */
    uint8_t tls;                  /* 0, 1, 2 (client: the least level accepted) */
    bool proxy, notcp, noudp;
    bool key_given; /* false: key is the default of protocol.md 1 */
    bool dial_given;
    bool read_given; /* read= was in the query: read_ms counts for UDP too */
    bool min_given, max_given, slot_given;
    uint8_t key[NP_MAX_KEY];
    uint16_t key_len; /* 1 to NP_MAX_KEY */
    struct np_endpoint tunnel, target;
    /* Pool, 1 <= min <= max. A client is given min, a server max; the client swaps its min and the
     * server's max if they meet the wrong way round. */
    uint32_t min, max;
    uint32_t rate_mbps; /* 0 = off */
    uint32_t slot;      /* TCP + UDP sessions; 0 was replaced by NP_MAX_SESSIONS */
    uint32_t read_ms;   /* idle limit of TCP sessions */
    uint32_t mem_mb;    /* ceiling on the memory of the whole process, MB; 0 = none */
    uint32_t dns_ms;
    struct np_addr dial; /* source address, port 0, if dial_given */
    char crt[NP_MAX_PATH + 1], crt_key[NP_MAX_PATH + 1], ca[NP_MAX_PATH + 1];
    char sni[NP_MAX_HOST + 1];
    bool pin_given;
    uint8_t pin[32];              /* SHA-256 of the server certificate's public key */
    char prefix[NP_MAX_PATH + 1]; /* master only */
    char state[NP_MAX_PATH + 1];  /* master only: state directory */
};

/* NP_* of the environment, one for the process. Times in ms. The last four are no variables: a port
 * that knows them sets them, 0 = not known. */
struct np_tuning {
    uint32_t mem_mb;          /* as in struct np_settings; the least of all that are given counts */
    uint32_t semaphore_limit; /* visitors of an instance that may wait for a pool connection */
    uint32_t udp_data_buf_size; /* bytes, 1 to NP_MAX_DATAGRAM */
    uint32_t handshake_timeout_ms;
    uint32_t tcp_dial_timeout_ms;
    uint32_t udp_dial_timeout_ms;
    uint32_t udp_read_timeout_ms;
    uint32_t pool_get_timeout_ms;
    uint32_t min_pool_interval_ms, max_pool_interval_ms;
    uint32_t report_interval_ms;
    uint32_t service_cooldown_ms;
    uint32_t shutdown_timeout_ms;
    uint32_t reload_interval_ms;
    int64_t built_s;         /* when this program was made: a clock before that is not set */
    int64_t known_s;         /* a later moment known to have passed, 0 = none */
    uint32_t ram_mb;         /* of the machine, or what this process may have of it */
    uint32_t spare_mb;       /* ceiling where no mem= is given; 0 = none */
    uint32_t platform_bytes; /* what the platform takes of a ceiling beside its handles */
    uint32_t handle_bytes;   /* what it takes for each handle */
};

/* Where config tells what is wrong. `text` is one line without newline; is_error: the configuration
 * can't be used, else it is a warning. Secrets never appear in `text`. */
struct np_report {
    void (*line)(void *context, bool is_error, const char *text);
    void *context;
    uint32_t error_count; /* counted by np_report_* below */
};
void np_report_error(struct np_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void np_report_warning(struct np_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Defaults of config.md 2 and 3. */
void np_settings_init(struct np_settings *settings);
void np_tuning_init(struct np_tuning *tuning);

/* Replaces what was left out: default key from the tunnel port, slot=0, the other end of min and
 * max. Reports what only shows once all is known (tls=2 without crt, notcp with noudp ...). A
 * missing tunnel or target is reported by url and ini, which know where it had to stand. */
void np_settings_complete(struct np_settings *settings, struct np_report *report);

/* On a machine with `ram_mb` below NP_SMALL_RAM_MB (0 = not known) what was not given of slot, min
 * and max gets smaller in proportion. Returns true if it is such a machine. */
bool np_settings_fit_ram(struct np_settings *settings, uint32_t ram_mb);

/* The start line of config.md 6 without its first word:
 * "<key masked>@<tunnel>/<target>?max=..&mode=..": never the key. Returns the length. */
uint32_t np_settings_format(const struct np_settings *settings, char *out, uint32_t cap);

#endif
