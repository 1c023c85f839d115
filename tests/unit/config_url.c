/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/url.h"

#include <stdio.h>
#include <string.h>

#include "config/ini.h"
#include "config/listing.h"
#include "config/query.h"
#include "core/wire/dialect.h"
#include "tests/unit/config_render.h"
#include "tests/unit/np_test.h"

static const struct {
    const char *url, *expected;
} rows[] = {
#include "tests/unit/tables/url.inc"
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

static struct np_settings settings;

static uint32_t parse(struct render *render, const char *url, size_t len)
{
    struct np_report report = render_report(render);

    np_url_parse(&settings, url, (uint32_t)len, &report);
    return report.error_count;
}

NP_TEST(config_url, table)
{
    static struct render render;
    static char masked[NP_URL_MASKED_CAP], suffix[NP_URL_MASKED_CAP + 8];
    const char *broken = "";

    NP_CHECK(ROW_COUNT >= 100);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        uint32_t errors;

        np_url_mask(rows[i].url, (uint32_t)strlen(rows[i].url), masked, sizeof masked);
        snprintf(suffix, sizeof suffix, " (in %s)", masked);
        render_init(&render);
        render.suffix = suffix;
        errors = parse(&render, rows[i].url, strlen(rows[i].url));
        if (errors == 0) {
            render_settings(&render, &settings);
        }
        np_test_context("%s", rows[i].url);
        NP_CHECK_STR(render.text, rows[i].expected);
        NP_CHECK_INT(render.suffix_missed, 0);
        NP_CHECK_INT(errors > 0, strstr(rows[i].expected, "E ") == rows[i].expected ||
                                     strstr(rows[i].expected, "\nE ") != NULL);
        if (errors == 0 && !render_is_valid(&settings, &broken)) {
            NP_CHECK_STR(broken, "");
        }
    }
}

/* ---- the key ------------------------------------------------------------------------------ */

NP_TEST(config_url, the_key_is_never_shown)
{
    static const char *const urls[] = {
        "server://s3cret@:1/:2?slot=x&foo=1",
        "server://s3cret@:0/:99999",
        "server://s3cret",
        "server://s3cret@",
        "server://s3cret@/",
        "server://s3cret:s3cret@h/t",
        "server://s3cret@s3cret@h/t",
        "server://a/s3cret@h:1/t:2",
        "server://s3cret/b@h:1/t:2",
        "server://s3cret?b@h:1/t:2",
        "server://s3cret#b@h:1/t:2",
        "server://s3cret:1/s3cret:1?s3cret@h:1/t:2",
        "server://s3cret:1/s3cret?s3cret@h:1/t:2",
        "server://a@s3cret:1/s3cret?slot=s3cret@h:1/t:2",
        "server://s3cret%@h:1/t:2",
        "server://s3cret%zz@h:1/t:2?rate=x",
        "server://s3cret @h:1/t:2",
        "server://\xc3\xa4s3cret@h:1/t:2",
        "foo://s3cret@h:1/t:2",
        "s3cret@h:1/t:2",
        "server:/s3cret@h:1/t:2",
        "://s3cret@h:1/t:2",
        "s3cret@server://h:1/t:2",
        "client://h:1/t:2?password=s3cret&key1=s3cret&slot=x",
        "client://h:1/t:2?pass%77ord=s3cret&slot=x",
        "client://h:1/t:2?=s3cret&slot=x",
        "master://s3cret@h:1?tls=9",
        "master://s3cret@h",
        "master://s3cret/x@h:80",
    };

    static struct render render;

    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        bool has_nothing_to_mask = strcmp(urls[i], "server://s3cret") == 0;

        render_init(&render);
        (void)parse(&render, urls[i], strlen(urls[i]));
        np_test_context("%s: %s", urls[i], render.text);
        NP_CHECK(has_nothing_to_mask || strstr(render.text, "s3cret") == NULL);
        NP_CHECK(render.len > 0);
    }
}

NP_TEST(config_url, mask)
{
    static const char *const table[][2] = {
        {"server://k@:1/:2?max=5", "server://***@:1/:2?max=5"},
        {"server://:1/:2", "server://:1/:2"},
        {"server://a@b@:1/:2", "server://***@:1/:2"},
        {"server://a/b@:1/:2", "server://***@:1/:2"},
        {"server://@:1/:2", "server://***@:1/:2"},
        {"k@h", "***@h"},
        {"client://h:1/t:2?foo=a&slot=3&b=&c", "client://h:1/t:2?foo=***&slot=3&b=***&c"},
        {"client://h:1/t:2?&&=x&", "client://h:1/t:2?&&=***&"},
        {"a\x1b\xff"
         "b\x7f",
         "a??b?"},
        {"", ""},
    };
    char out[NP_URL_MASKED_CAP], small[8];

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        NP_CHECK_INT(np_url_mask(table[i][0], (uint32_t)strlen(table[i][0]), out, sizeof out),
                     strlen(table[i][1]));
        NP_CHECK_STR(out, table[i][1]);
    }
    NP_CHECK_INT(np_url_mask("server://k@h", 12, small, sizeof small), 7);
    NP_CHECK_STR(small, "server:");
}

NP_TEST(config_url, a_missing_key_is_made_from_the_port)
{
    static struct render render;
    char key[9];

    render_init(&render);
    NP_CHECK_INT(parse(&render, "server://h:10101/t:2", 20), 0);
    np_default_key(key, 10101);
    NP_CHECK(!settings.key_given);
    NP_CHECK_INT(settings.key_len, 8);
    NP_CHECK_MEM(settings.key, key, 8);
}

/* A URL with `count` times `unit` as key (or crt). */
static uint32_t parse_long(const char *head, const char *unit, uint32_t count, const char *tail)
{
    static struct render render;
    static char url[8192];
    uint32_t len = (uint32_t)snprintf(url, sizeof url, "%s", head);

    for (uint32_t i = 0; i < count; i++) {
        len += (uint32_t)snprintf(url + len, sizeof url - len, "%s", unit);
    }
    len += (uint32_t)snprintf(url + len, sizeof url - len, "%s", tail);
    render_init(&render);
    return parse(&render, url, len);
}

NP_TEST(config_url, lengths_are_bounded)
{
    NP_CHECK_INT(parse_long("server://", "k", 255, "@:1/:2"), 0);
    NP_CHECK_INT(settings.key_len, 255);
    NP_CHECK_INT(parse_long("server://", "%6b", 255, "@:1/:2"), 0);
    NP_CHECK_INT(settings.key_len, 255);
    NP_CHECK_INT(parse_long("server://", "k", 256, "@:1/:2"), 1);
    NP_CHECK_INT(parse_long("server://", "%6b", 256, "@:1/:2"), 1);
    NP_CHECK_INT(parse_long("server://:1/:2?key=b&crt=", "c", 255, ""), 0);
    NP_CHECK_INT(strlen(settings.crt), 255);
    NP_CHECK_INT(parse_long("server://:1/:2?crt=", "c", 256, ""), 1);
    NP_CHECK_INT(parse_long("server://:1/:2?crt=", "c", 2000, ""), 1);
    NP_CHECK_INT(parse_long("server://", "abcdefg.", 31, "h.abc:1/:2"), 0);
    NP_CHECK_INT(strlen(settings.tunnel.host), 253);
    NP_CHECK_INT(parse_long("server://", "abcdefg.", 31, "hi.abc:1/:2"), 1);
    NP_CHECK_INT(parse_long("server://", "a", 63, ".b:1/:2"), 0);
    NP_CHECK_INT(parse_long("server://", "a", 64, ".b:1/:2"), 1);
    NP_CHECK_INT(parse_long("master://:1", "/x", 127, "/"), 0);
    NP_CHECK_INT(parse_long("master://:1", "/x", 128, ""), 1);
    NP_CHECK_INT(parse_long("server://:1/:2?", "&", NP_MAX_URL - 15, ""), 0);
    NP_CHECK_INT(parse_long("server://:1/:2?", "&", NP_MAX_URL - 14, ""), 1);
    NP_CHECK_INT(parse_long("server://", "s3cret", 1000, "@:1/:2"), 1);
}

/* ---- what is shown ------------------------------------------------------------------------ */

NP_TEST(config_url, start_line)
{
    static const char *const table[][2] = {
        {"server://k@:10101/127.0.0.1:80?read=90s&rate=8&slot=9&max=7&mode=2",
         "***@:10101/127.0.0.1:80?max=7&mode=2&read=1m30s&rate=8&slot=9"},
        {"client://[::1]:10101/[::2]:80",
         "***@[::1]:10101/[::2]:80?min=64&mode=0&read=1h0m0s&rate=0&slot=1024"},
        {"master://:9090/api?tls=1", ":9090/api?tls=1"},
    };
    static struct render render;
    char line[1024];

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        render_init(&render);
        NP_CHECK_INT(parse(&render, table[i][0], strlen(table[i][0])), 0);
        NP_CHECK_INT(np_settings_format(&settings, line, sizeof line), strlen(table[i][1]));
        NP_CHECK_STR(line, table[i][1]);
    }
}

/* In an INI file " ;" begins a comment and blanks around a value are dropped. */
static bool survives(const char *path)
{
    size_t len = strlen(path);

    return strstr(path, " ;") == NULL && path[0] != ' ' && path[0] != ';' &&
           (len == 0 || path[len - 1] != ' ');
}

/* Lists `settings` as an INI file and reads that: the same again, apart from name and key. */
static void check_listing(void)
{
    static struct render listing, first, second;
    static struct np_settings again;
    static struct np_process process;
    struct np_ini ini = {&process, &again, 1, 0};
    struct np_report report = render_report(&second);

    if (!survives(settings.crt) || !survives(settings.crt_key) || !survives(settings.ca) ||
        !survives(settings.state)) {
        return;
    }
    render_init(&listing);
    np_listing_format_instance(&settings, render_line, &listing);
    render_init(&first);
    render_init(&second);
    np_process_init(&process);
    np_ini_parse(&ini, listing.text, listing.len, "f.ini", &report);
    NP_CHECK_INT(report.error_count, 0);
    if (!NP_CHECK_INT(ini.count, 1)) {
        return;
    }
    NP_CHECK_STR(again.alias, "url");
    NP_CHECK_INT(again.key_given, settings.key_given);
    again.alias[0] = '\0';
    memcpy(again.key, settings.key, sizeof again.key);
    again.key_len = settings.key_len;
    second.len = 0;
    render_settings(&first, &settings);
    render_settings(&second, &again);
    NP_CHECK_STR(second.text, first.text);
    NP_CHECK_INT(again.read_given, settings.read_given);
    NP_CHECK_INT(again.min, settings.min);
    NP_CHECK_INT(again.max, settings.max);
    NP_CHECK(np_addr_is_equal(&again.tunnel.ip, &settings.tunnel.ip));
}

NP_TEST(config_url, the_listing_parses_to_the_same)
{
    static struct render render;

    for (size_t i = 0; i < ROW_COUNT; i++) {
        render_init(&render);
        np_test_context("%s", rows[i].url);
        if (parse(&render, rows[i].url, strlen(rows[i].url)) == 0) {
            check_listing();
        }
    }
}

/* ---- forged ------------------------------------------------------------------------------- */

NP_TEST(config_url, damaged_urls_are_refused_or_valid)
{
    static const char junk[] = "%@/?#&=:[].+-0 \x01\xff\0;9az";
    static struct render render;
    uint64_t seed = 7;
    uint32_t refused = 0;
    char url[512];

    for (uint32_t i = 0; i < 60000; i++) {
        const char *source = rows[np_test_below(&seed, ROW_COUNT)].url;
        uint32_t len = (uint32_t)strlen(source), edits = np_test_below(&seed, 4);
        const char *broken = "";

        memcpy(url, source, len);
        while (edits-- > 0 && len > 1) {
            uint32_t at = np_test_below(&seed, len);

            if (np_test_below(&seed, 3) == 0) {
                memmove(url + at, url + at + 1, --len - at);
            } else {
                url[at] = junk[np_test_below(&seed, sizeof junk)];
            }
        }
        np_test_context("%.*s", (int)len, url);
        render_init(&render);
        if (parse(&render, url, len) > 0) {
            refused++;
            NP_CHECK(strstr(render.text, "E ") != NULL);
        } else if (NP_CHECK(render_is_valid(&settings, &broken))) {
            check_listing();
        }
    }
    NP_CHECK(refused > 20000 && refused < 55000);
}
