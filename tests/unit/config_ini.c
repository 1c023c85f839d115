/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/ini.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/config_render.h"
#include "tests/unit/np_test.h"

static const struct {
    const char *text, *expected;
} rows[] = {
#include "tests/unit/tables/ini.inc"
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

static struct np_settings instances[NP_MAX_INSTANCES];
static struct np_process process;
static struct render render;

/* Returns the errors; the rest is in instances, process and render. */
static uint32_t parse(const char *text, uint32_t len, uint32_t cap, uint32_t *count)
{
    struct np_ini ini = {&process, instances, cap, 0};
    struct np_report report;

    render_init(&render);
    render.prefix = "f.ini:";
    report = render_report(&render);
    np_process_init(&process);
    np_ini_parse(&ini, text, len, "f.ini", &report);
    np_env_complete(&process, &report);
    *count = ini.count;
    return report.error_count;
}

static void check_instances(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *broken = "";

        if (!render_is_valid(&instances[i], &broken)) {
            NP_CHECK_STR(broken, "");
        }
        NP_CHECK(instances[i].alias[0] != '\0');
    }
}

NP_TEST(config_ini, table)
{
    NP_CHECK(ROW_COUNT >= 30);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        uint32_t count;

        np_test_context("%.200s", rows[i].text);
        (void)parse(rows[i].text, (uint32_t)strlen(rows[i].text), NP_MAX_INSTANCES, &count);
        render_process(&render, &process);
        check_instances(count);
        for (uint32_t n = 0; n < count; n++) {
            render_settings(&render, &instances[n]);
        }
        NP_CHECK_STR(render.text, rows[i].expected);
    }
}

NP_TEST(config_ini, as_many_instances_as_there_is_room_for)
{
    static char text[NP_MAX_INSTANCES * 64 + 512];
    uint32_t len = 0, count;

    for (uint32_t i = 0; i <= NP_MAX_INSTANCES + 1; i++) {
        len += (uint32_t)snprintf(text + len, sizeof text - len,
                                  "[instance i%u]\nurl = server://:1/:2\n", i);
        if (i + 1 == NP_MAX_INSTANCES) {
            NP_CHECK_INT(parse(text, len, NP_MAX_INSTANCES + 9, &count), 0);
            NP_CHECK_INT(count, NP_MAX_INSTANCES);
        }
    }
    NP_CHECK_INT(parse(text, len, NP_MAX_INSTANCES, &count), 1);
    NP_CHECK_INT(count, NP_MAX_INSTANCES);
    NP_CHECK_INT(parse(text, len, 1, &count), 1);
    NP_CHECK_INT(count, 1);
    NP_CHECK_STR(render.text, "E 3: too many instances, this build runs at most 1");
}

/* A line of `blanks` and a URL of `len` bytes. */
static uint32_t parse_line(uint32_t blanks, uint32_t url_len, uint32_t *count)
{
    static char text[20000];
    uint32_t len = (uint32_t)snprintf(text, sizeof text, "[instance a]\nurl = ");

    memset(text + len, ' ', blanks);
    len += blanks;
    len += (uint32_t)snprintf(text + len, sizeof text - len, "server://:1/:2?");
    memset(text + len, '&', url_len - 15);
    len += url_len - 15;
    len += (uint32_t)snprintf(text + len, sizeof text - len, "\nslot = 3\n");
    return parse(text, len, 1, count);
}

NP_TEST(config_ini, long_lines)
{
    uint32_t count;

    NP_CHECK_INT(parse_line(0, NP_MAX_URL, &count), 0);
    NP_CHECK_INT(count, 1);
    NP_CHECK_INT(instances[0].slot, 3);
    NP_CHECK_INT(parse_line(0, NP_MAX_URL + 1, &count), 1);
    NP_CHECK_INT(count, 0);
    NP_CHECK_INT(parse_line(10000, 20, &count), 4);
    NP_CHECK_STR(render.text, "E 2: [instance a] this line is too long\n"
                              "E 1: [instance a] url or role: missing, want one of them\n"
                              "E 1: [instance a] tunnel: missing, want host:port\n"
                              "E 1: [instance a] target: missing, want host:port");
}

NP_TEST(config_ini, every_cut_of_a_file_gives_an_error_or_good_instances)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        uint32_t len = (uint32_t)strlen(rows[i].text), count;

        for (uint32_t cut = 0; cut <= len; cut++) {
            char copy[2048];

            /* on the stack's own bytes, so that the sanitizer sees a read behind the end */
            memcpy(copy, rows[i].text, cut);
            np_test_context("%.200s cut at %u", rows[i].text, cut);
            NP_CHECK(parse(copy, cut, 3, &count) > 0 || count > 0);
            check_instances(count);
        }
    }
}

NP_TEST(config_ini, secrets_are_never_shown)
{
    static const char *const texts[] = {
        "[instance a]\nrole = client\ntunnel = h:1\ntarget = t:2\npassword = s3cret\nslot = x\n",
        "[instance a]\nrole = client\ntunnel = s3cret@h:1\ntarget = s3cret@h\n",
        "[instance a]\nurl = server://s3cret@:1/:2?slot=x\nmin = 1\n",
        "[instance a]\nurl = server://s3cret@:1/:2\npassword = s3cret\n",
        "[instance a]\nserver://s3cret@:1/:2\n",
        "[instance a]\npassword s3cret\n",
        "[instance a]\npasswort = s3cret\n",
        "[instance a]\ns3cret@h = 1\n",
        "[nodepass]\npassword = s3cret\n",
        "password = s3cret\n",
        "[instance m]\nrole = master\ntunnel = :1\npassword = s3cret\n",
    };
    uint32_t count;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        (void)parse(texts[i], (uint32_t)strlen(texts[i]), 4, &count);
        np_test_context("%.100s", render.text);
        NP_CHECK(render.len > 0);
        NP_CHECK(strstr(render.text, "s3cret") == NULL);
    }
}
