/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/lwip-tap/options.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "port/posix/cli.h"

enum which { TAP, IP, GATEWAY, SERVER, COUNT };

static const struct {
    const char *name, *variable, *want;
} switches[COUNT] = {
    {"--tap", "PRECONFIGURED_TAPIF", "the name of a tap interface"},
    {"--ip", "NP_LWIP_ADDR", "ADDR/LEN, IPv4 or IPv6"},
    {"--gw", "NP_LWIP_GW", "an address, IPv4 or IPv6"},
    {"--dns", "NP_LWIP_DNS", "one or two addresses"},
};

void np_tap_options_print(void)
{
    np_cli_write(
        STDOUT_FILENO,
        "\n"
        "nodepass-lwip: the same program with a network stack of its own (lwIP) on a tap:\n"
        "  --tap NAME       tap interface (or PRECONFIGURED_TAPIF; tap0)\n"
        "  --ip ADDR/LEN    own address, IPv4 or IPv6; twice, or with a comma, for both\n"
        "                   (or NP_LWIP_ADDR); without an IPv4 address DHCP is asked\n"
        "  --gw ADDR        gateway (or NP_LWIP_GW)\n"
        "  --dns ADDR       name server, two with a comma (or NP_LWIP_DNS)\n"
        "Not here: ctl, --user, --syslog.\n");
}

static bool set_ip(struct np_lwip_config *config, const char *text, uint32_t len)
{
    const char *slash = memchr(text, '/', len);
    uint32_t ip_len = slash == NULL ? len : (uint32_t)(slash - text), bits = 0;
    struct np_addr addr;
    if (slash == NULL || ip_len + 1 == len || !np_addr_parse_ip(&addr, text, ip_len, 0)) {
        return false;
    }
    for (uint32_t i = ip_len + 1; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || bits > 128) {
            return false;
        }
        bits = bits * 10 + (uint32_t)(text[i] - '0');
    }
    if (addr.family == NP_FAMILY_IP4) {
        config->ip4 = addr;
        config->ip4_prefix = (uint8_t)bits;
        return bits <= 32;
    }
    config->ip6 = addr;
    config->ip6_prefix = (uint8_t)bits;
    return bits == 64; /* lwIP knows no other network of its own */
}

static bool set_one(struct np_lwip_config *config, enum which which, const char *text, uint32_t len)
{
    struct np_addr addr;
    if (which == IP) {
        return set_ip(config, text, len);
    }
    if (!np_addr_parse_ip(&addr, text, len, 0)) {
        return false;
    }
    if (which == GATEWAY) {
        *(addr.family == NP_FAMILY_IP4 ? &config->gateway4 : &config->gateway6) = addr;
        return true;
    }
    for (uint32_t i = 0; i < NP_LWIP_SERVERS; i++) {
        if (config->servers[i].family == NP_FAMILY_NONE) {
            config->servers[i] = addr;
            return true;
        }
    }
    return false;
}

static void set(struct np_tap_options *options, enum which which, const char *value,
                const char *source, struct np_report *report)
{
    bool is_good = value != NULL && value[0] != '\0';
    if (which == TAP && is_good) {
        options->tap = value;
        return;
    }
    for (const char *end; is_good && value != NULL; value = end == NULL ? NULL : end + 1) {
        end = strchr(value, ',');
        uint32_t len = (uint32_t)(end == NULL ? strlen(value) : (size_t)(end - value));
        is_good = set_one(&options->config, which, value, len);
    }
    if (!is_good) {
        np_report_error(report, "%s: want %s", source, switches[which].want);
    }
}

/* Takes the switch at argv[i]. Returns how many arguments it took, 0 if it is not ours. */
static int take(struct np_tap_options *options, char **argv, int i, bool *is_given,
                struct np_report *report)
{
    for (enum which which = TAP; which < COUNT; which++) {
        const char *name = switches[which].name;
        size_t len = strlen(name);
        if (strncmp(argv[i], name, len) != 0) {
            continue;
        }
        if (argv[i][len] == '=') {
            is_given[which] = true;
            set(options, which, argv[i] + len + 1, name, report);
            return 1;
        }
        if (argv[i][len] == '\0') {
            is_given[which] = true;
            set(options, which, argv[i + 1], name, report);
            return argv[i + 1] == NULL ? 1 : 2;
        }
    }
    return 0;
}

void np_tap_options_parse(struct np_tap_options *options, int *argc, char **argv,
                          struct np_report *report)
{
    bool is_given[COUNT] = {false};
    int kept = 1;
    memset(options, 0, sizeof(*options));
    options->tap = "tap0";
    for (int i = 1; i < *argc;) {
        int taken = take(options, argv, i, is_given, report);
        if (taken == 0) {
            argv[kept++] = argv[i];
            taken = 1;
        }
        i += taken;
    }
    argv[kept] = NULL;
    *argc = kept;
    for (enum which which = TAP; which < COUNT; which++) {
        const char *value = getenv(switches[which].variable);
        if (!is_given[which] && value != NULL && value[0] != '\0') {
            set(options, which, value, switches[which].variable, report);
        }
    }
}
