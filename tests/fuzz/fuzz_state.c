/* SPDX-License-Identifier: BSD-3-Clause */
/* A master starts with any text as its state, with a checksum that fits: it keeps what it can, and
 * what it then saves is read back as the very same. First byte: 0 = the text as it is. */
#define _GNU_SOURCE /* MAP_ANONYMOUS, madvise */
#include <sys/mman.h>

#include "config/url.h"
#include "core/master/master.h"
#include "core/master/store_text.h"
#include "core/np_app_state.h"
#include "platform/sim/sim.h"
#include "tests/fuzz/fuzz.h"

#define STATE "/state/nodepass.ini"
#define TEXT_CAP (1u << 20)

struct bed {
    struct np_sim *sim;
    struct np_plat *plat;
    struct np_app *app;
    uint8_t *memory;
    uint64_t memory_bytes;
    struct np_settings settings;
    struct np_tuning tuning;
};

static void step(void *context)
{
    struct bed *bed = context;
    struct np_event event;

    if (bed->app == NULL || np_app_is_stopped(bed->app)) {
        np_plat_poll(bed->plat, &event, 1, UINT32_MAX);
    } else {
        FUZZ_CHECK(np_app_step(bed->app, 60000) == NP_OK);
    }
}

static void open_bed(struct bed *bed)
{
    static const char url[] = "master://10.0.0.1:9000?state=/state&log=none";
    const struct np_settings *list[1] = {&bed->settings};
    struct np_report report = {.line = NULL};
    struct np_addr ip = np_sim_ip4(10, 0, 0, 1, 0);
    struct np_app_needs needs;
    struct np_sim_host host;

    if (bed->sim == NULL) {
        bed->sim = np_sim_create();
        np_url_parse(&bed->settings, url, sizeof url - 1, &report);
        np_tuning_init(&bed->tuning);
        np_app_plan(list, 1, &bed->tuning, &needs);
        bed->memory_bytes = needs.memory_bytes;
        bed->memory = mmap(NULL, (size_t)needs.memory_bytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        FUZZ_CHECK(bed->memory != MAP_FAILED);
    }
    np_sim_reset(bed->sim, 1);
    np_sim_host_defaults(&host);
    host.name = "ours";
    host.handles = 4096;
    host.step = step;
    host.context = bed;
    bed->plat = np_sim_host_open(bed->sim, &host);
    FUZZ_CHECK(bed->plat != NULL);
    np_sim_host_addr(bed->plat, &ip);
}

/* Starts, lets a moment pass, stops in order. */
static void run_once(struct bed *bed)
{
    const struct np_settings *list[1] = {&bed->settings};

    madvise(bed->memory, (size_t)bed->memory_bytes, MADV_DONTNEED); /* zero again */
    bed->app = np_app_init(bed->plat, bed->memory, bed->memory_bytes, list, 1, &bed->tuning, false);
    FUZZ_CHECK(bed->app != NULL);
    np_sim_run(bed->sim, np_sim_now_us(bed->sim) + 10000);
    np_app_stop(bed->app);
    np_sim_host_touch(bed->plat);
    np_sim_run(bed->sim, np_sim_now_us(bed->sim) + 10000000);
    FUZZ_CHECK(np_sim_failure(bed->sim) == NULL);
    FUZZ_CHECK(np_app_is_stopped(bed->app));
    FUZZ_CHECK(np_app_objects_used(bed->app) == 0);
    np_app_deinit(bed->app);
    FUZZ_CHECK(np_sim_host_handles(bed->plat) == 0);
    bed->app = NULL;
}

static uint32_t add_checksum(char *text, uint32_t len)
{
    uint8_t hash[NP_SHA256_LEN];

    np_sha256(text, len, hash);
    len += (uint32_t)snprintf(text + len, 16, "; sha256 ");
    for (uint32_t i = 0; i < NP_SHA256_LEN; i++) {
        len += (uint32_t)snprintf(text + len, 3, "%02x", hash[i]);
    }
    text[len++] = '\n';
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bed bed;
    static char text[TEXT_CAP], saved[TEXT_CAP], again[TEXT_CAP];
    uint32_t len;

    if (size < 1 || size > 200000) {
        return 0;
    }
    memcpy(text, data + 1, size - 1);
    len = data[0] == 0 ? (uint32_t)size - 1 : add_checksum(text, (uint32_t)size - 1);
    open_bed(&bed);
    FUZZ_CHECK(np_plat_blob_store(bed.plat, STATE, (const uint8_t *)text, len) == NP_OK);
    run_once(&bed);
    int32_t saved_len = np_plat_blob_load(bed.plat, STATE, (uint8_t *)saved, TEXT_CAP);
    FUZZ_CHECK(saved_len > 0 && np_store_text_is_whole(saved, (uint32_t)saved_len));
    run_once(&bed);
    int32_t again_len = np_plat_blob_load(bed.plat, STATE, (uint8_t *)again, TEXT_CAP);
    FUZZ_CHECK(again_len == saved_len && memcmp(saved, again, (size_t)saved_len) == 0);
    return 0;
}
