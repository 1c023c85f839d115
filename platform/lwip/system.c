/* SPDX-License-Identifier: BSD-3-Clause */
/* system: clock, entropy, blobs, log and figures: the contract over the board's functions. */
#include <lwip/sys.h>
#include <string.h>

#include "platform/lwip/lwip_priv.h"
#include "platform/lwip/np_board.h"

/* ---- clock ----------------------------------------------------------------------------------- */

uint64_t np_plat_now_us(struct np_plat *plat)
{
    (void)plat;
    return np_board_now_us();
}

uint64_t np_plat_now_ms(struct np_plat *plat)
{
    return np_plat_now_us(plat) / 1000u;
}

/* lwIP's clock: milliseconds that wrap. */
uint32_t np_lwip_sys_now(void)
{
    return (uint32_t)(np_board_now_us() / 1000u);
}

int64_t np_plat_wall_s(struct np_plat *plat)
{
    int32_t offset_s = 0;
    int64_t wall_ms = np_board_wall_ms(&offset_s);
    (void)plat;
    return wall_ms > 0 ? wall_ms / 1000 : 0;
}

/* Days since 1970-01-01 to a date of the Gregorian calendar, in years that begin in March. */
static void set_date(struct np_civil *civil, uint32_t days)
{
    uint32_t z = days + 719468u, era = z / 146097u, of_era = z % 146097u;
    uint32_t year = (of_era - of_era / 1460u + of_era / 36524u - of_era / 146096u) / 365u;
    uint32_t of_year = of_era - (365u * year + year / 4u - year / 100u);
    uint32_t month = (5u * of_year + 2u) / 153u;
    civil->day = (uint8_t)(of_year - (153u * month + 2u) / 5u + 1u);
    civil->month = (uint8_t)(month < 10 ? month + 3u : month - 9u);
    civil->year = (uint16_t)(year + era * 400u + (civil->month <= 2 ? 1u : 0u));
}

bool np_plat_civil_time(struct np_plat *plat, struct np_civil *civil)
{
    int32_t offset_s = 0;
    int64_t wall_ms = np_board_wall_ms(&offset_s);
    (void)plat;
    if (wall_ms <= 0) {
        return false;
    }
    uint64_t ms = (uint64_t)(wall_ms + (int64_t)offset_s * 1000);
    uint32_t s = (uint32_t)(ms / 1000u % 86400u);
    set_date(civil, (uint32_t)(ms / 86400000u));
    civil->hour = (uint8_t)(s / 3600u);
    civil->minute = (uint8_t)(s / 60u % 60u);
    civil->second = (uint8_t)(s % 60u);
    civil->ms = (uint16_t)(ms % 1000u);
    return true;
}

/* ---- entropy --------------------------------------------------------------------------------- */

enum np_err np_plat_random(struct np_plat *plat, uint8_t *buf, uint32_t len)
{
    (void)plat;
    return len == 0 || np_board_random(buf, len) ? NP_OK : NP_ERR_IO;
}

uint32_t np_lwip_random(void)
{
    static uint8_t pool[64];
    static uint32_t left;
    uint32_t value;
    if (left < sizeof(value)) {
        if (!np_board_random(pool, sizeof(pool))) {
            np_lwip_panic("the board has no random numbers");
        }
        left = sizeof(pool);
    }
    left -= (uint32_t)sizeof(value);
    memcpy(&value, pool + left, sizeof(value));
    memset(pool + left, 0, sizeof(value));
    return value;
}

/* ---- blobs ----------------------------------------------------------------------------------- */

int32_t np_plat_blob_load(struct np_plat *plat, const char *name, uint8_t *buf, uint32_t cap)
{
    uint32_t size = 0;
    int32_t len = np_board_blob_load(name, 0, buf, cap, &size);
    (void)plat;
    return len >= 0 && size > cap ? NP_ERR_TOO_LONG : len;
}

int32_t np_plat_blob_read(struct np_plat *plat, const char *name, uint32_t offset, uint8_t *buf,
                          uint32_t cap)
{
    uint32_t size = 0;
    (void)plat;
    return np_board_blob_load(name, offset, buf, cap, &size);
}

enum np_err np_plat_blob_store(struct np_plat *plat, const char *name, const uint8_t *buf,
                               uint32_t len)
{
    (void)plat;
    return np_board_blob_store(name, buf, len);
}

enum np_err np_plat_blob_rename(struct np_plat *plat, const char *name, const char *to)
{
    (void)plat;
    (void)name;
    (void)to;
    return NP_ERR_UNSUPPORTED;
}

enum np_err np_plat_blob_lock(struct np_plat *plat, const char *name)
{
    (void)plat;
    (void)name;
    return NP_OK;
}

/* ---- log and figures ------------------------------------------------------------------------- */

void np_plat_log(struct np_plat *plat, uint32_t level, const char *line, uint32_t len)
{
    (void)plat;
    np_board_log(level, line, len);
}

static void set_text(char *out, uint32_t cap, const char *text)
{
    uint32_t len = (uint32_t)strlen(text);
    len = len < cap ? len : cap - 1;
    memcpy(out, text, len);
    out[len] = '\0';
}

void np_plat_figures(struct np_plat *plat, struct np_figures *figures)
{
    const struct np_lwip_config *config = &plat->config;
    uint64_t up_us = np_board_now_us() - plat->start_us;
    uint64_t idle_us = plat->idle_us < up_us ? plat->idle_us : up_us;
    memset(figures, 0, sizeof(*figures));
    set_text(figures->arch, sizeof(figures->arch), config->arch == NULL ? "arm" : config->arch);
    set_text(figures->os, sizeof(figures->os), config->os == NULL ? "none" : config->os);
    set_text(figures->name, sizeof(figures->name),
             config->host_name == NULL ? "nodepass" : config->host_name);
    figures->cpu_all = up_us / 1000u;
    figures->cpu_busy = (up_us - idle_us) / 1000u;
    figures->process_cpu_ms = figures->cpu_busy;
    figures->mem_total = config->ram_bytes;
    figures->mem_used =
        config->ram_used_bytes < config->ram_bytes ? config->ram_used_bytes : config->ram_bytes;
    figures->mem_free = figures->mem_total - figures->mem_used;
    figures->process_rss = figures->mem_used;
    figures->net_rx = plat->stats.rx_bytes;
    figures->net_tx = plat->stats.tx_bytes;
    figures->uptime_s = up_us / 1000000u;
    figures->process_handles = plat->handles_used;
}
