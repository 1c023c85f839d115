/* SPDX-License-Identifier: BSD-3-Clause */
/* system: names, clock, entropy, blobs and log of a host. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/sim/world.h"

/* ---- names ------------------------------------------------------------ */

static struct np_sim_name *find_name(struct np_sim *sim, const char *name)
{
    for (uint32_t i = 0; i < sim->name_count; i++) {
        if (strcmp(sim->names[i].name, name) == 0) {
            return &sim->names[i];
        }
    }
    return NULL;
}

struct np_sim_name *np_sim_name(struct np_sim *sim, const char *name)
{
    struct np_sim_name *entry = find_name(sim, name);
    if (entry != NULL || sim->name_count == SIM_NAMES) {
        return entry;
    }
    entry = &sim->names[sim->name_count++];
    memset(entry, 0, sizeof *entry);
    snprintf(entry->name, sizeof entry->name, "%s", name);
    return entry;
}

enum np_err np_plat_resolve(struct np_plat *plat, const char *name, uint32_t tag, uint32_t *handle)
{
    struct np_sim *sim = plat->sim;
    np_sim_spoil(plat);
    size_t len = strlen(name);
    if (len == 0 || len > 253) {
        return NP_ERR_INVALID;
    }
    uint32_t index;
    enum np_err err = np_sim_entry_open(plat, SIM_QUERY, tag, &index);
    if (err != NP_OK) {
        return err;
    }
    struct sim_query *query = sim->free_queries;
    if (query != NULL) {
        sim->free_queries = query->next;
    } else if ((query = calloc(1, sizeof *query)) == NULL) {
        abort();
    }
    memcpy(query->name, name, len + 1);
    query->host = plat;
    query->entry = index;
    query->is_answered = false;
    query->is_used = true;
    query->generation++;
    plat->entries[index].query = query;
    *handle = np_sim_token(plat, index);
    struct np_sim_name *entry = find_name(sim, name);
    if (entry != NULL) {
        entry->queries++;
    }
    np_sim_push(sim,
                (struct sim_event){.at_us = sim->now_us + (entry == NULL ? 1000u : entry->delay_us),
                                   .kind = SIM_EV_ANSWER,
                                   .generation = query->generation,
                                   .object = query});
    return NP_OK;
}

void np_sim_query_event(struct np_sim *sim, const struct sim_event *event)
{
    (void)sim;
    struct sim_query *query = event->object;
    if (query->is_used && query->generation == event->generation) {
        query->is_answered = true;
        np_sim_ready(query->host, query->entry);
    }
}

void np_sim_query_release(struct np_sim *sim, struct sim_query *query)
{
    query->is_used = false;
    query->next = sim->free_queries;
    sim->free_queries = query;
}

static int32_t answer(const struct np_sim_name *entry, struct np_addr *addrs, uint32_t cap)
{
    if (entry == NULL || (entry->error == NP_OK && entry->count == 0)) {
        return NP_ERR_NOT_FOUND;
    }
    if (entry->error != NP_OK) {
        return entry->error;
    }
    uint32_t count = entry->count < cap ? entry->count : cap;
    memcpy(addrs, entry->addrs, count * sizeof *addrs);
    return (int32_t)count;
}

int32_t np_plat_resolve_result(struct np_plat *plat, uint32_t handle, struct np_addr *addrs,
                               uint32_t cap)
{
    struct sim_entry *entry = np_sim_entry(plat, handle, SIM_QUERY);
    if (entry == NULL) {
        return NP_ERR_STALE;
    }
    if (!entry->query->is_answered) {
        return NP_ERR_AGAIN;
    }
    int32_t result = answer(find_name(plat->sim, entry->query->name), addrs, cap);
    np_plat_close(plat, handle);
    return result;
}

/* ---- clock and entropy ------------------------------------------------------------ */

uint64_t np_plat_now_ms(struct np_plat *plat)
{
    return plat->config.clock_offset_ms + plat->sim->now_us / 1000u;
}

uint64_t np_plat_now_us(struct np_plat *plat)
{
    return plat->config.clock_offset_ms * 1000u + plat->sim->now_us;
}

bool np_plat_civil_time(struct np_plat *plat, struct np_civil *civil)
{
    uint64_t ms = plat->sim->now_us / 1000u;
    if (!plat->config.has_wall_clock) {
        return false;
    }
    *civil = (struct np_civil){.year = 2026,
                               .month = 1,
                               .day = (uint8_t)(1 + ms / 86400000u % 28u),
                               .hour = (uint8_t)(ms / 3600000u % 24u),
                               .minute = (uint8_t)(ms / 60000u % 60u),
                               .second = (uint8_t)(ms / 1000u % 60u),
                               .ms = (uint16_t)(ms % 1000u)};
    return true;
}

int64_t np_plat_wall_s(struct np_plat *plat)
{
    return plat->config.has_wall_clock ? INT64_C(1767225600) + plat->config.wall_offset_s +
                                             (int64_t)(plat->sim->now_us / 1000000u)
                                       : 0;
}

enum np_err np_plat_random(struct np_plat *plat, uint8_t *buf, uint32_t len)
{
    np_sim_spoil(plat);
    if (np_sim_plat_chance(plat, plat->trouble.entropy)) {
        return NP_ERR_IO;
    }
    for (uint32_t i = 0; i < len; i += 8) {
        uint64_t value = np_sim_rng_next(plat->rng);
        memcpy(buf + i, &value, len - i < 8 ? len - i : 8);
    }
    return NP_OK;
}

/* ---- blobs ------------------------------------------------------------ */

static struct sim_blob *find_blob(struct np_plat *plat, const char *name, bool is_new)
{
    struct sim_blob *free_blob = NULL;
    for (uint32_t i = 0; i < SIM_BLOBS; i++) {
        struct sim_blob *blob = &plat->blobs[i];
        if (blob->is_used && strcmp(blob->name, name) == 0) {
            return blob;
        }
        if (!blob->is_used && free_blob == NULL) {
            free_blob = blob;
        }
    }
    return is_new ? free_blob : NULL;
}

int32_t np_plat_blob_load(struct np_plat *plat, const char *name, uint8_t *buf, uint32_t cap)
{
    np_sim_spoil(plat);
    const struct sim_blob *blob = find_blob(plat, name, false);
    if (blob == NULL) {
        return NP_ERR_NOT_FOUND;
    }
    if (np_sim_plat_chance(plat, plat->trouble.blob_io)) {
        return NP_ERR_IO;
    }
    if (blob->len > cap) {
        return NP_ERR_TOO_LONG;
    }
    if (blob->len > 0) {
        memcpy(buf, blob->bytes, blob->len);
    }
    return (int32_t)blob->len;
}

int32_t np_plat_blob_read(struct np_plat *plat, const char *name, uint32_t offset, uint8_t *buf,
                          uint32_t cap)
{
    np_sim_spoil(plat);
    const struct sim_blob *blob = find_blob(plat, name, false);

    if (blob == NULL) {
        return NP_ERR_NOT_FOUND;
    }
    if (np_sim_plat_chance(plat, plat->trouble.blob_io)) {
        return NP_ERR_IO;
    }
    uint32_t left = offset < blob->len ? blob->len - offset : 0;
    uint32_t len = left < cap ? left : cap;
    if (len > 0) {
        memcpy(buf, blob->bytes + offset, len);
    }
    return (int32_t)len;
}

enum np_err np_plat_blob_store(struct np_plat *plat, const char *name, const uint8_t *buf,
                               uint32_t len)
{
    np_sim_spoil(plat);
    if (np_sim_plat_chance(plat, plat->trouble.blob_io)) {
        return NP_ERR_IO;
    }
    struct sim_blob *blob = find_blob(plat, name, true);
    if (blob == NULL || np_sim_plat_chance(plat, plat->trouble.blob_full)) {
        return NP_ERR_NO_SPACE;
    }
    if (strlen(name) >= sizeof blob->name) {
        return NP_ERR_ACCESS;
    }
    if (blob->cap < len) {
        blob->bytes = realloc(blob->bytes, len);
        if (blob->bytes == NULL) {
            abort();
        }
        blob->cap = len;
    }
    snprintf(blob->name, sizeof blob->name, "%s", name);
    if (len > 0) {
        memcpy(blob->bytes, buf, len);
    }
    blob->len = len;
    blob->is_used = true;
    return NP_OK;
}

enum np_err np_plat_blob_rename(struct np_plat *plat, const char *name, const char *to)
{
    np_sim_spoil(plat);
    struct sim_blob *blob = find_blob(plat, name, false);
    struct sim_blob *old = find_blob(plat, to, false);
    if (blob == NULL) {
        return NP_ERR_NOT_FOUND;
    }
    if (np_sim_plat_chance(plat, plat->trouble.blob_io)) {
        return NP_ERR_IO;
    }
    if (strlen(to) >= sizeof blob->name) {
        return NP_ERR_ACCESS;
    }
    if (old != NULL && old != blob) {
        old->is_used = false;
    }
    snprintf(blob->name, sizeof blob->name, "%s", to);
    return NP_OK;
}

enum np_err np_plat_blob_lock(struct np_plat *plat, const char *name)
{
    np_sim_spoil(plat);
    (void)name;
    return NP_OK;
}

/* ---- log ------------------------------------------------------------ */

void np_plat_log(struct np_plat *plat, uint32_t level, const char *line, uint32_t len)
{
    np_sim_spoil(plat);
    for (uint32_t i = 0; i + 8 <= len; i += 8) {
        uint64_t value;
        memcpy(&value, line + i, sizeof value);
        np_sim_note(plat->sim, value);
    }
    np_sim_trace(plat->sim, plat, "log: %.*s", (int)(len > 0 ? len - 1 : 0), line);
    if (plat->config.log != NULL) {
        plat->config.log(plat->config.context, level, line, len);
    }
}

/* ---- figures ------------------------------------------------------------ */

void np_plat_figures(struct np_plat *plat, struct np_figures *figures)
{
    *figures = (struct np_figures){.arch = "sim",
                                   .os = "sim",
                                   .cpu_busy = plat->sim->now_us / 4000u,
                                   .cpu_all = plat->sim->now_us / 1000u,
                                   .uptime_s = plat->sim->now_us / 1000000u,
                                   .process_handles = np_sim_host_handles(plat)};
    snprintf(figures->name, sizeof figures->name, "%s", plat->config.name);
}
