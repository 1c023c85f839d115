/* SPDX-License-Identifier: BSD-3-Clause */
/* What ceilings on memory and little RAM leave of each pool. */
#include "core/np_plan.h"

#include <string.h>

#include "config/url.h"
#include "core/np_app.h"
#include "core/tunnel/channel.h"
#include "tests/unit/np_test.h"

#define MB UINT64_C(1048576)
#define PLATFORM_BYTES 1200000u
#define HANDLE_BYTES 56u

struct bed {
    struct np_settings settings[4];
    const struct np_settings *list[4];
    struct np_tuning tuning;
    uint32_t count;
    struct np_plan plan;
    uint64_t least; /* bytes */
};

static void add(struct bed *bed, const char *url)
{
    struct np_report report = {.line = NULL};
    struct np_settings *settings = &bed->settings[bed->count];

    np_url_parse(settings, url, (uint32_t)strlen(url), &report);
    NP_CHECK_INT(report.error_count, 0);
    bed->list[bed->count++] = settings;
}

static void open_bed(struct bed *bed, const char *url)
{
    memset(bed, 0, sizeof *bed);
    np_tuning_init(&bed->tuning);
    bed->tuning.platform_bytes = PLATFORM_BYTES;
    bed->tuning.handle_bytes = HANDLE_BYTES;
    add(bed, url);
}

static uint64_t make(struct bed *bed)
{
    bed->least = np_plan_make(&bed->plan, bed->list, bed->count, &bed->tuning);
    return np_plan_bytes(&bed->plan) + PLATFORM_BYTES + (uint64_t)bed->plan.handles * HANDLE_BYTES;
}

static const char *const urls[] = {
    "server://k@:1/:2",
    "server://k@:1/:2?tls=1",
    "server://k@:1/:2?slot=8&max=8&tls=1",
    "client://k@h:1/t:2",
    "client://k@h:1/t:2?min=1000&slot=10",
    "client://k@h:1/t:2?mode=1&slot=0",
    "master://h:1",
    "master://h:1?tls=1",
};
#define URLS (sizeof urls / sizeof urls[0])

NP_TEST(plan, no_ceiling_has_what_is_asked_for)
{
    struct bed bed;

    open_bed(&bed, "server://k@:1/:2?slot=100&max=50");
    (void)make(&bed);
    NP_CHECK(!bed.plan.is_fitted);
    NP_CHECK_INT(bed.plan.sessions, 100);
    NP_CHECK_INT(bed.plan.ceiling_mb, 0);
    NP_CHECK_INT(bed.plan.pool_conns, NP_MAX_CONNS);
    NP_CHECK_INT(bed.plan.pool_dials, NP_MAX_DIALS);
    NP_CHECK_INT(bed.plan.channels, 0);
    open_bed(&bed, "master://h:1?tls=1");
    (void)make(&bed);
    NP_CHECK(bed.plan.handshakes < np_channel_share_cap(bed.plan.records, NP_SHARE_HANDSHAKE));
    open_bed(&bed, "client://k@h:1/t:2");
    for (uint32_t i = 0; i < 3; i++) {
        add(&bed, "client://k@h:1/t:2");
    }
    (void)make(&bed);
    NP_CHECK(4 * bed.plan.pool_dials <= bed.plan.handshakes);
    open_bed(&bed, "server://k@:1/:2?slot=100&max=50");
    bed.tuning.mem_mb = 1024; /* more than all of it */
    (void)make(&bed);
    NP_CHECK(!bed.plan.is_fitted);
    NP_CHECK_INT(bed.plan.sessions, 100);
    NP_CHECK_INT(bed.plan.ceiling_mb, 1024);
}

/* Every pool that is used at all has something in it, and the limits of an instance fit in. */
static void check_usable(const struct bed *bed)
{
    const struct np_plan *p = &bed->plan;
    bool has_tls = p->secures > 0;

    NP_CHECK(p->sessions >= 8);
    NP_CHECK(p->dials >= p->sessions + p->instances * 2);
    NP_CHECK(p->buffers >= 4 && p->conn_buckets >= p->conns && p->udp_buckets >= p->sessions);
    NP_CHECK(p->handles + NP_MAX_DIALS >= 2 * p->sessions + p->conns + p->greets);
    NP_CHECK(!has_tls || p->channels >= p->conns + p->sessions);
    NP_CHECK(!has_tls || (p->records >= 4 && p->handshakes >= 1 && p->pool_silent >= 2));
    NP_CHECK(p->handshakes < np_channel_share_cap(p->records, NP_SHARE_HANDSHAKE) ||
             (p->handshakes <= 2 && p->records < 12));
    if (p->conns > 0) {
        NP_CHECK(p->pool_conns >= 1 && p->pool_conns + (has_tls ? p->pool_silent : 0) <= p->conns);
        NP_CHECK(p->pool_dials >= 1 && (!has_tls || p->pool_dials <= p->handshakes));
        NP_CHECK(p->launches >= 8);
    }
    if (p->is_dynamic) {
        NP_CHECK(p->instances >= 4 && p->http_ins >= 4 && p->http_outs > p->http_ins);
        NP_CHECK(p->http_conns >= p->http_ins && p->http_queues >= 1 && p->http_bodies >= 1);
        NP_CHECK(p->greets >= p->instances && p->secures >= p->instances);
    }
}

NP_TEST(plan, every_ceiling_is_kept)
{
    struct bed bed;

    for (uint32_t i = 0; i < URLS; i++) {
        uint32_t sessions = 0;

        open_bed(&bed, urls[i]);
        (void)make(&bed);
        uint32_t least_mb = (uint32_t)((bed.least + MB - 1) / MB), asked = bed.plan.sessions;
        for (uint32_t mem_mb = least_mb; mem_mb <= 160; mem_mb++) {
            np_test_context("%s mem=%u", urls[i], mem_mb);
            bed.tuning.mem_mb = mem_mb;
            uint64_t bytes = make(&bed);
            NP_CHECK(bytes <= mem_mb * MB);
            NP_CHECK(bed.plan.is_fitted || bed.plan.sessions == asked);
            if (bed.plan.is_fitted) {
                check_usable(&bed);
            }
            /* more memory, not less room: but for the steps of the tables' sizes */
            NP_CHECK(bed.plan.sessions + bed.plan.sessions / 8 + 8 >= sessions);
            sessions = bed.plan.sessions;
        }
        NP_CHECK(sessions == asked || bed.plan.is_dynamic);
    }
}

NP_TEST(plan, below_the_least_nothing_fits)
{
    struct bed bed;

    for (uint32_t i = 0; i < URLS; i++) {
        open_bed(&bed, urls[i]);
        (void)make(&bed);
        np_test_context("%s", urls[i]);
        if (bed.least > MB) {
            bed.tuning.mem_mb = (uint32_t)(bed.least / MB);
            NP_CHECK(make(&bed) > bed.tuning.mem_mb * MB);
        }
        NP_CHECK(bed.least < 4 * MB);
    }
}

NP_TEST(plan, proportions_of_a_small_router)
{
    struct bed bed;

    open_bed(&bed, "server://k@:1/:2?tls=1&mem=4");
    uint64_t bytes = make(&bed);
    NP_CHECK(bytes <= 4 * MB && bytes > 3 * MB);
    NP_CHECK(bed.plan.sessions >= 500);
    NP_CHECK(bed.plan.pool_conns >= 400);
    NP_CHECK(bed.plan.records >= 12);
    NP_CHECK(bed.plan.handshakes >= 8);
    open_bed(&bed, "client://k@h:1/t:2?mem=2");
    (void)make(&bed);
    NP_CHECK(bed.plan.sessions >= 100 && bed.plan.pool_conns >= 100);
    open_bed(&bed, "master://h:1?mem=16");
    (void)make(&bed);
    NP_CHECK(bed.plan.sessions >= 1000 && bed.plan.instances >= 16);
}

NP_TEST(plan, the_least_of_all_ceilings_counts)
{
    struct bed bed;
    bool is_given;

    open_bed(&bed, "server://k@:1/:2?mem=9");
    NP_CHECK_INT(np_plan_ceiling_mb(bed.list, bed.count, &bed.tuning, &is_given), 9);
    bed.tuning.spare_mb = 3; /* what the machine has counts only where nothing is given */
    NP_CHECK_INT(np_plan_ceiling_mb(bed.list, bed.count, &bed.tuning, &is_given), 9);
    NP_CHECK(is_given);
    add(&bed, "client://k@h:1/t:2?mode=1");
    add(&bed, "client://k@h:3/t:2?mem=7");
    NP_CHECK_INT(np_plan_ceiling_mb(bed.list, bed.count, &bed.tuning, &is_given), 7);
    bed.tuning.mem_mb = 8;
    NP_CHECK_INT(np_plan_ceiling_mb(bed.list, bed.count, &bed.tuning, &is_given), 7);
    bed.tuning.mem_mb = 5;
    NP_CHECK_INT(np_plan_ceiling_mb(bed.list, bed.count, &bed.tuning, &is_given), 5);
    NP_CHECK(make(&bed) <= 5 * MB);
    NP_CHECK_INT(bed.plan.ceiling_mb, 5);
    open_bed(&bed, "server://k@:1/:2");
    NP_CHECK_INT(np_plan_ceiling_mb(bed.list, bed.count, &bed.tuning, &is_given), 0);
    bed.tuning.spare_mb = 3;
    NP_CHECK_INT(np_plan_ceiling_mb(bed.list, bed.count, &bed.tuning, &is_given), 3);
    NP_CHECK(!is_given);
}

/* Two tunnels share: neither may take the connections of the other. */
NP_TEST(plan, several_instances_leave_room_for_each_other)
{
    struct bed bed;

    open_bed(&bed, "server://k@:1/:2?tls=1&mem=4");
    add(&bed, "server://k@:3/:4");
    add(&bed, "client://k@h:5/:6");
    add(&bed, "client://k@:7/:8?mode=1");
    (void)make(&bed);
    NP_CHECK(3 * (bed.plan.pool_conns + bed.plan.pool_silent) <= bed.plan.conns);
    NP_CHECK(2 * bed.plan.pool_greets <= bed.plan.greets);
    NP_CHECK(2 * bed.plan.pool_dials <= bed.plan.handshakes);
    NP_CHECK(bed.plan.pool_conns >= 8);
}

NP_TEST(plan, a_machine_that_has_too_little_gets_the_smallest_plan)
{
    struct bed bed;

    open_bed(&bed, "master://h:1");
    bed.tuning.spare_mb = 1; /* nobody asked for that ceiling: no error */
    uint64_t bytes = make(&bed);
    NP_CHECK(bytes > MB && bytes <= bed.least);
    check_usable(&bed);
}

NP_TEST(plan, defaults_of_small_machines)
{
    static const struct {
        uint32_t ram_mb, slot, max, min;
        bool is_small;
    } rows[] = {
        {0, 1024, 1024, 64, false},  {24000, 1024, 1024, 64, false}, {128, 1024, 1024, 64, false},
        {127, 1016, 1016, 63, true}, {64, 512, 512, 32, true},       {58, 464, 464, 29, true},
        {32, 256, 256, 16, true},    {8, 64, 64, 4, true},           {4, 32, 32, 4, true},
        {1, 32, 32, 4, true},
    };

    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bed bed;

        np_test_context("%u MB", rows[i].ram_mb);
        open_bed(&bed, "server://k@:1/:2");
        add(&bed, "client://k@h:1/t:2");
        for (uint32_t twice = 0; twice < 2; twice++) {
            NP_CHECK_INT(np_settings_fit_ram(&bed.settings[0], rows[i].ram_mb), rows[i].is_small);
            NP_CHECK_INT(np_settings_fit_ram(&bed.settings[1], rows[i].ram_mb), rows[i].is_small);
        }
        NP_CHECK_INT(bed.settings[0].slot, rows[i].slot);
        NP_CHECK_INT(bed.settings[0].max, rows[i].max);
        NP_CHECK(bed.settings[0].min <= bed.settings[0].max);
        NP_CHECK_INT(bed.settings[1].slot, rows[i].slot);
        NP_CHECK_INT(bed.settings[1].min, rows[i].min);
    }
}

NP_TEST(plan, what_is_given_stays_on_small_machines)
{
    struct bed bed;

    open_bed(&bed, "server://k@:1/:2?slot=2000&max=900");
    add(&bed, "client://k@h:1/t:2?min=64&slot=0");
    np_settings_fit_ram(&bed.settings[0], 16);
    np_settings_fit_ram(&bed.settings[1], 16);
    NP_CHECK_INT(bed.settings[0].slot, 2000);
    NP_CHECK_INT(bed.settings[0].max, 900);
    NP_CHECK_INT(bed.settings[1].slot, NP_MAX_SESSIONS);
    NP_CHECK_INT(bed.settings[1].min, 64);
}
