/* SPDX-License-Identifier: BSD-3-Clause */
/* record: what a master keeps about one instance, in memory and in its state file, and the JSON
 * object that shows it (master-api.md 3). The instance itself lives in a slot (np_slots.h). */
#ifndef NP_CORE_MASTER_RECORD_H
#define NP_CORE_MASTER_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "config/urltext.h"
#include "core/http/json.h"
#include "core/np_app.h"
#include "core/np_slots.h"

struct np_master;

#define NP_RECORD_ID_CAP 9u          /* 8 hex digits */
#define NP_RECORD_VALUE_MAX 256u     /* alias and texts of meta, bytes */
#define NP_RECORD_TAGS_CAP 1024u     /* all tags, bytes with a NUL behind each text */
#define NP_RECORD_NO_SLOT UINT32_MAX /* its URL can't work */

struct np_record_peer {
    char sid[NP_RECORD_VALUE_MAX + 1], type[NP_RECORD_VALUE_MAX + 1];
    char alias[NP_RECORD_VALUE_MAX + 1];
};

struct np_record {
    uint64_t serial; /* in order of creation, from 2; 0 = a free record */
    uint32_t slot;
    uint8_t role;      /* enum np_role */
    uint8_t published; /* enum np_slot_run that events told last */
    uint8_t mode;      /* np_slot_mode that the state was told last */
    bool restart;      /* starts with the master */
    bool is_fixed;     /* from the configuration file: neither saved, replaced nor deleted */
    uint16_t tags_len; /* bytes of tags */
    struct np_slot_totals totals; /* as saved; counted on while there is a slot */
    char id[NP_RECORD_ID_CAP];
    char alias[NP_RECORD_VALUE_MAX + 1];
    char url[NP_URLTEXT_CAP];    /* stored form */
    char config[NP_URLTEXT_CAP]; /* with every option */
    struct np_record_peer peer;
    char tags[NP_RECORD_TAGS_CAP]; /* name NUL value NUL ... */
};

/* The first record behind `serial`, in order of creation, or NULL. */
struct np_record *np_record_next(const struct np_master *master, uint64_t serial);
/* By id of `len` bytes; NULL = unknown. */
struct np_record *np_record_find(const struct np_master *master, const char *id, uint32_t len);
struct np_record *np_record_of_slot(const struct np_master *master, uint32_t slot);
/* A free record with this id; NULL if all are taken. */
struct np_record *np_record_acquire(struct np_master *master, const char *id);
void np_record_release(struct np_record *record);

/* Parses and stores `url` (stored form) as settings for the record's slot; *why (cap bytes) tells
 * what is wrong with it. */
enum np_err np_record_parse(const char *url, struct np_settings *settings, char *why, uint32_t cap);
/* Takes over url and settings: role, config, log tag. */
void np_record_set_url(struct np_record *record, const char *url,
                       const struct np_settings *settings);
/* The tag of its log lines: alias, or id without one. */
void np_record_tag(const struct np_record *record, char *out, uint32_t cap);
/* Its figures; without a slot, what was saved of them. */
void np_record_stats(const struct np_master *master, const struct np_record *record,
                     struct np_app_stats *stats);
enum np_slot_run np_record_run(const struct np_master *master, const struct np_record *record);

/* Writes the object; `record` NULL = the API key's record. */
void np_record_write(const struct np_master *master, const struct np_record *record,
                     struct np_json *out, const char *key);

/* "server", "client" or "". */
const char *np_record_type(const struct np_record *record);
const char *np_record_status(enum np_slot_run run);

#endif
