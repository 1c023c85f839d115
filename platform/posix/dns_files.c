/* SPDX-License-Identifier: BSD-3-Clause */
#include "platform/posix/dns_files.h"

#include <string.h>

#include "core/base/fmt.h"

#define DNS_PORT 53
#define DOTS_MAX 15u /* as in other resolvers */
#define ATTEMPTS_MAX 5u
#define TIMEOUT_MAX_S 30u

/* The next word of *rest, which it ends; NULL if there is none. A comment ends the line. */
static char *next_word(char **rest)
{
    char *word = *rest;

    while (*word == ' ' || *word == '\t') {
        word++;
    }
    if (*word == '\0' || *word == '#' || *word == ';') {
        return NULL;
    }
    char *end = word;
    while (*end != '\0' && *end != ' ' && *end != '\t' && *end != '\r') {
        end++;
    }
    *rest = end + (*end != '\0');
    *end = '\0';
    return word;
}

void np_dns_conf_init(struct np_dns_conf *conf)
{
    uint32_t (*zone)(const char *) = conf->zone;

    memset(conf, 0, sizeof(*conf));
    conf->zone = zone;
    conf->dots = 1;
    conf->attempts = 2;
    conf->timeout_s = 5;
}

static void add_server(struct np_dns_conf *conf, char *text)
{
    struct np_addr addr;
    char *zone = strchr(text, '%');
    uint32_t len = (uint32_t)(zone == NULL ? strlen(text) : (size_t)(zone - text));

    if (conf->servers_count == NP_DNS_SERVERS || !np_addr_parse_ip(&addr, text, len, DNS_PORT)) {
        return;
    }
    if (zone != NULL) {
        addr.scope = conf->zone == NULL ? 0 : conf->zone(zone + 1);
    }
    conf->servers[conf->servers_count++] = addr;
}

/* "name:number" */
static void take_option(const char *word, const char *name, uint32_t least, uint32_t most,
                        uint8_t *value)
{
    size_t len = strlen(name);
    uint64_t number;

    if (strncmp(word, name, len) == 0 &&
        np_parse_uint(word + len, (uint32_t)strlen(word + len), UINT32_MAX, &number)) {
        number = number < least ? least : number > most ? most : number;
        *value = (uint8_t)number;
    }
}

static void add_domain(struct np_dns_conf *conf, const char *word)
{
    size_t used = strlen(conf->search), len = strlen(word);

    if (used + len + 2 <= sizeof(conf->search)) {
        memcpy(conf->search + used, word, len);
        memcpy(conf->search + used + len, " ", 2);
    }
}

void np_dns_conf_line(struct np_dns_conf *conf, char *line)
{
    char *rest = line, *word = next_word(&rest);
    bool is_search, is_server, is_options;

    if (word == NULL) {
        return;
    }
    is_search = strcmp(word, "search") == 0 || strcmp(word, "domain") == 0;
    is_server = strcmp(word, "nameserver") == 0;
    is_options = strcmp(word, "options") == 0;
    if (is_search) {
        conf->search[0] = '\0'; /* the last line counts */
    }
    while ((word = next_word(&rest)) != NULL) {
        if (is_search) {
            add_domain(conf, word);
        } else if (is_server) {
            add_server(conf, word);
        } else if (is_options) {
            take_option(word, "ndots:", 0, DOTS_MAX, &conf->dots);
            take_option(word, "attempts:", 1, ATTEMPTS_MAX, &conf->attempts);
            take_option(word, "timeout:", 1, TIMEOUT_MAX_S, &conf->timeout_s);
        }
    }
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool is_same_name(const char *a, const char *b)
{
    while (*a != '\0' && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return *a == '\0' && (*b == '\0' || (b[0] == '.' && b[1] == '\0'));
}

bool np_dns_hosts_line(char *line, const char *name, struct np_addr *addr)
{
    char *rest = line, *word = next_word(&rest);

    if (word == NULL || !np_addr_parse_ip(addr, word, (uint32_t)strlen(word), 0)) {
        return false;
    }
    while ((word = next_word(&rest)) != NULL) {
        if (is_same_name(word, name)) {
            return true;
        }
    }
    return false;
}
