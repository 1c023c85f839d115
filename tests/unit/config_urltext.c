/* SPDX-License-Identifier: BSD-3-Clause */
/* URLs written out: the stored form, the form with every option, the escapes of the state file. */
#include "config/urltext.h"

#include <string.h>

#include "config/statefile.h"
#include "config/url.h"
#include "tests/unit/np_test.h"

static uint32_t normalize(const char *url, uint32_t extra, char *out, uint32_t cap)
{
    static const struct np_urltext_option options[] = {{"log", "debug"}, {"crt", "/a b&c"}};

    return np_urltext_normalize(url, (uint32_t)strlen(url), options, extra, out, cap);
}

NP_TEST(config_urltext, stored_form)
{
    static const struct {
        const char *url;
        uint32_t extra;
        const char *stored;
    } rows[] = {
        {"client://a:1/b:2", 0, "client://a:1/b:2"},
        {"client://a:1/b:2?", 0, "client://a:1/b:2"},
        {"client://a:1/b:2?&&", 0, "client://a:1/b:2"},
        {"SerVer://K%2f@A:1/B:2", 0, "server://K%2f@A:1/B:2"},
        {"client://a:1/b:2?z=1&a=2&m=3", 0, "client://a:1/b:2?a=2&m=3&z=1"},
        {"client://a:1/b:2?a=2&a=1&ab=0&=x", 0, "client://a:1/b:2?=x&a=2&a=1&ab=0"},
        {"client://a:1/b:2?x=%41%2f+%20~&y", 0, "client://a:1/b:2?x=A%2F++~&y="},
        {"client://a:1/b:2?x=%zz&y=1:2", 0, "client://a:1/b:2?x=%zz&y=1%3A2"},
        {"client://a:1/b:2", 1, "client://a:1/b:2?log=debug"},
        {"client://a:1/b:2?log=none&z=0", 2, "client://a:1/b:2?crt=%2Fa+b%26c&log=none&z=0"},
        {"client://a:1/b:2?logs=1&lo=2", 1, "client://a:1/b:2?lo=2&log=debug&logs=1"},
    };
    char out[NP_URLTEXT_CAP];

    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        np_test_context("%s", rows[i].url);
        NP_CHECK_INT(normalize(rows[i].url, rows[i].extra, out, sizeof out),
                     strlen(rows[i].stored));
        NP_CHECK_STR(out, rows[i].stored);
        /* once more changes nothing */
        NP_CHECK_INT(normalize(rows[i].stored, 0, out, sizeof out), strlen(rows[i].stored));
        NP_CHECK_STR(out, rows[i].stored);
        for (uint32_t cap = 1; cap <= strlen(rows[i].stored); cap++) {
            NP_CHECK_INT(normalize(rows[i].url, rows[i].extra, out, cap), 0);
        }
    }
}

NP_TEST(config_urltext, too_many_options)
{
    char url[400] = "client://a:1/b:2?", out[NP_URLTEXT_CAP];

    for (uint32_t i = 0; i < 64; i++) {
        strcat(url, "a=1&");
    }
    NP_CHECK(normalize(url, 0, out, sizeof out) > 0);
    NP_CHECK_INT(normalize(url, 1, out, sizeof out), 0);
    strcat(url, "b=1");
    NP_CHECK_INT(normalize(url, 0, out, sizeof out), 0);
}

static void ignore(void *context, bool is_error, const char *text)
{
    (void)context;
    if (is_error) {
        NP_CHECK_STR(text, "");
    }
}

/* What is written is read back as the same settings. */
NP_TEST(config_urltext, every_option)
{
    static const char *const urls[] = {
        "client://a:1/b:2",
        "client://k%25%2F@[::1]:1/[fe80::1%252]:2?min=3&mode=2&read=90s&dns=0&dial=10.0.0.1&tls=1",
        "client://a:1/b:2?sni=x.y&ca=%2Fetc%2Fa%20b&proxy=1&notcp=1&rate=7&slot=9&log=none",
        "server://:1/:2?max=8&tls=2&crt=%2Fc&key=%2Fk&read=36h0m1s&noudp=1",
    };
    char text[NP_URLTEXT_CAP], again[NP_URLTEXT_CAP];
    struct np_settings settings;
    struct np_report report = {.line = ignore};

    for (uint32_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        np_test_context("%s", urls[i]);
        np_url_parse(&settings, urls[i], (uint32_t)strlen(urls[i]), &report);
        uint32_t len = np_urltext_format(&settings, text, sizeof text);
        NP_CHECK_INT(len, strlen(text));
        NP_CHECK_INT(np_urltext_format(&settings, again, len), 0);
        np_url_parse(&settings, text, len, &report);
        NP_CHECK_INT(report.error_count, 0);
        NP_CHECK_INT(np_urltext_format(&settings, again, sizeof again), len);
        NP_CHECK_STR(again, text);
        NP_CHECK(strstr(text, "?") != NULL && strstr(text, "slot=") != NULL);
    }
    NP_CHECK_STR(text, "server://:1/:2?crt=%2Fc&dial=auto&dns=5m&key=%2Fk&log=info&max=8&mode=0"
                       "&notcp=0&noudp=1&proxy=0&rate=0&read=36h0m1s&slot=1024&tls=2");
}

NP_TEST(config_statefile, escapes)
{
    char every[256], escaped[1024], back[256];

    for (uint32_t i = 0; i < 255; i++) {
        every[i] = (char)(i + 1);
    }
    every[255] = '\0';
    uint32_t len = np_statefile_escape(every, 255, escaped, sizeof escaped);
    NP_CHECK(len > 255);
    NP_CHECK(strpbrk(escaped, " ;#=&\t\r\n") == NULL);
    NP_CHECK(np_statefile_unescape(escaped, len, back, sizeof back));
    NP_CHECK_MEM(back, every, 256);
    NP_CHECK(!np_statefile_unescape(escaped, len, back, 255));
    NP_CHECK_STR(back, "");
    NP_CHECK_INT(np_statefile_escape("abcd", 4, escaped, 6), 0);
    NP_CHECK_INT(np_statefile_escape("abcd", 4, escaped, 7), 4);
    NP_CHECK(!np_statefile_unescape("%0", 2, back, sizeof back));
    NP_CHECK(!np_statefile_unescape("a%00", 4, back, sizeof back));
    NP_CHECK(np_statefile_unescape("", 0, back, sizeof back));
}

struct seen {
    uint32_t count;
    char last[128];
};

static bool take_option(void *context, const char *section, const char *name, const char *value)
{
    struct seen *seen = context;

    seen->count++;
    seen->last[0] = '\0';
    strcat(seen->last, section);
    strcat(seen->last, "/");
    strcat(seen->last, name);
    strcat(seen->last, "/");
    strncat(seen->last, value, 40);
    return strcmp(name, "stop") != 0;
}

NP_TEST(config_statefile, lines)
{
    static const char text[] = "; c\n[a b]\nx = 1\n\n[c]\ny=%20;z\nlast = v";
    static char long_line[6000];
    struct seen seen = {0};

    NP_CHECK(np_statefile_parse(text, sizeof text - 1, take_option, &seen));
    NP_CHECK_INT(seen.count, 3);
    NP_CHECK_STR(seen.last, "c/last/v");
    NP_CHECK(np_statefile_parse("", 0, take_option, &seen));
    NP_CHECK(!np_statefile_parse("nonsense\n", 9, take_option, &seen));
    NP_CHECK(!np_statefile_parse("stop = 1\n", 9, take_option, &seen));
    memset(long_line, 'x', sizeof long_line);
    memcpy(long_line, "x = ", 4);
    NP_CHECK(!np_statefile_parse(long_line, sizeof long_line, take_option, &seen));
}
