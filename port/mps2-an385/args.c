/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/mps2-an385/args.h"

#include <string.h>

#include "config/url.h"
#include "core/base/fmt.h"

enum { MAX_WORDS = 32 };

struct words {
    char *at[MAX_WORDS];
    uint32_t count;
};

static void split(struct words *words, char *text, struct np_report *report)
{
    words->count = 0;
    for (char *at = text; *at != '\0';) {
        at += strspn(at, " ");
        if (*at == '\0') {
            return;
        }
        if (words->count == MAX_WORDS) {
            np_report_error(report, "too many words: want at most %u", (unsigned)MAX_WORDS);
            return;
        }
        words->at[words->count++] = at;
        at += strcspn(at, " ");
        if (*at != '\0') {
            *at++ = '\0';
        }
    }
}

/* "ADDR" or, with `prefix`, "ADDR/LEN". */
static void take_address(struct np_addr *addr, uint8_t *prefix, const char *text,
                         struct np_report *report)
{
    size_t len = strcspn(text, "/");
    uint64_t bits = 0;
    bool is_good = np_addr_parse_ip(addr, text, (uint32_t)len, 0);

    if (prefix != NULL) {
        is_good = is_good && text[len] == '/' &&
                  np_parse_uint(text + len + 1, (uint32_t)strlen(text + len + 1), 128, &bits);
        *prefix = (uint8_t)bits;
    }
    if (!is_good) {
        np_report_error(report, "%s: want an address%s", text, prefix != NULL ? "/bits" : "");
    }
}

/* True if `name` is a switch; its value was taken. */
static bool take_switch(struct np_args *args, const char *name, const char *value,
                        struct np_report *report)
{
    struct np_lwip_config *net = &args->net;
    uint64_t seconds = 0;

    if (strcmp(name, "--ip") == 0) {
        take_address(&net->ip4, &net->ip4_prefix, value, report);
    } else if (strcmp(name, "--gw") == 0) {
        take_address(&net->gateway4, NULL, value, report);
    } else if (strcmp(name, "--ip6") == 0) {
        take_address(&net->ip6, &net->ip6_prefix, value, report);
    } else if (strcmp(name, "--gw6") == 0) {
        take_address(&net->gateway6, NULL, value, report);
    } else if (strcmp(name, "--dns") == 0) {
        take_address(&net->servers[0], NULL, value, report);
    } else if (strcmp(name, "--run") == 0) {
        if (!np_parse_uint(value, (uint32_t)strlen(value), UINT32_MAX / 1000u, &seconds)) {
            np_report_error(report, "--run %s: want seconds", value);
        }
        args->run_s = (uint32_t)seconds;
    } else {
        return false;
    }
    return true;
}

/* NP_* words stand for the environment. */
static const char *find_variable(void *context, const char *name)
{
    const struct words *words = context;
    size_t len = strlen(name);

    for (uint32_t i = 0; i < words->count; i++) {
        if (strncmp(words->at[i], name, len) == 0 && words->at[i][len] == '=') {
            return words->at[i] + len + 1;
        }
    }
    return NULL;
}

void np_args_parse(struct np_args *args, char *text, struct np_report *report)
{
    static struct words words;
    const char *url = NULL;

    memset(args, 0, sizeof *args);
    split(&words, text, report);
    np_process_init(&args->process);
    np_env_load(&args->process, find_variable, &words, report);
    np_env_complete(&args->process, report);
    for (uint32_t i = 1; i < words.count; i++) { /* the first is the program's name */
        const char *word = words.at[i];

        if (strstr(word, "://") != NULL) {
            url = word;
        } else if (strncmp(word, "NP_", 3) == 0) {
            continue;
        } else if (i + 1 < words.count && take_switch(args, word, words.at[i + 1], report)) {
            i++;
        } else {
            np_report_error(report, "%s: not understood", word);
        }
    }
    if (url == NULL) {
        np_report_error(report, "no URL: want [--ip ADDR/LEN --gw ADDR --dns ADDR] "
                                "[NP_NAME=VALUE] server://... or client://...");
        return;
    }
    np_url_parse(&args->settings, url, (uint32_t)strlen(url), report);
}
