/* SPDX-License-Identifier: BSD-3-Clause */
/* Works forward on sets: after each piece of the URL, the set of indices modulo the key's length
 * that some clean way of writing all pieces so far can end at. */
#include "tests/unit/wire_space.h"

#include <stdio.h>
#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define SCHEME LETTERS DIGITS "+-."
#define USER LETTERS DIGITS "-._~!$&'()*+,;="
#define QUERY LETTERS DIGITS "-._~!$'()*+,;:@/?"
#define PATH LETTERS DIGITS "-._~!$'()*+,;"

struct ends {
    struct np_key key;
    bool at[256];
};

static struct ends none_of(struct np_key key)
{
    struct ends ends;

    memset(&ends, 0, sizeof ends);
    ends.key = key;
    return ends;
}

static struct ends either(struct ends a, struct ends b)
{
    for (uint32_t i = 0; i < a.key.len; i++) {
        a.at[i] = a.at[i] || b.at[i];
    }
    return a;
}

/* After one more character, any of `set`. */
static struct ends then(struct ends before, const char *set)
{
    struct ends after = none_of(before.key);

    for (uint32_t i = 0; i < before.key.len; i++) {
        char forbidden = (char)(before.key.bytes[i] ^ '\n');
        size_t others = strlen(set);
        for (const char *c = set; *c != 0; c++) {
            others -= *c == forbidden;
        }
        if (before.at[i] && others > 0) {
            after.at[(i + 1) % before.key.len] = true;
        }
    }
    return after;
}

static struct ends then_text(struct ends ends, const char *text)
{
    for (; *text != 0; text++) {
        ends = then(ends, (char[2]){*text, 0});
    }
    return ends;
}

/* After any number of characters of `set`. */
static struct ends then_many(struct ends ends, const char *set)
{
    for (uint32_t i = 0; i < ends.key.len; i++) {
        ends = either(ends, then(ends, set));
    }
    return ends;
}

/* After `c`, escaped or not. */
static struct ends then_escaped(struct ends ends, char c)
{
    char upper[4], lower[4], low[3];

    snprintf(upper, sizeof upper, "%%%02X", (unsigned)(uint8_t)c);
    snprintf(lower, sizeof lower, "%%%02x", (unsigned)(uint8_t)c);
    low[0] = upper[2];
    low[1] = lower[2];
    low[2] = 0;
    return either(then_text(ends, (char[2]){c, 0}),
                  then(then(then(ends, "%"), (char[2]){upper[1], 0}), low));
}

/* [scheme:]//[user@] */
static struct ends then_prefix(struct ends ends)
{
    ends = either(ends, then(then_many(then(ends, LETTERS), SCHEME), ":"));
    ends = then_text(ends, "//");
    return either(ends, then(then_many(ends, USER), "@"));
}

static struct ends then_query(struct ends ends, uint32_t extensions)
{
    if (extensions == 0) {
        return either(ends, then_many(then(ends, "?"), QUERY));
    }
    ends = then(ends, "?");
    ends = either(ends, then(then_many(ends, QUERY), "&"));
    ends = then(then_escaped(ends, 'x'), "=");
    for (uint32_t i = 0; i < strlen(NP_DIALECT_EXT_LETTERS); i++) {
        if ((extensions >> i & 1u) != 0) {
            ends = then_escaped(ends, NP_DIALECT_EXT_LETTERS[i]);
        }
    }
    return either(ends, then_many(then(ends, "&"), QUERY));
}

/* A group of IPv6: 1 to 4 digits. */
static struct ends then_group(struct ends ends, const uint8_t group[2])
{
    char lower[5], upper[5];
    struct ends all = none_of(ends.key);
    uint32_t value = (uint32_t)group[0] << 8 | group[1];

    for (int digits = 1; digits <= 4; digits++) {
        struct ends way = ends;
        if (snprintf(lower, sizeof lower, "%0*x", digits, value) != digits) {
            continue;
        }
        snprintf(upper, sizeof upper, "%0*X", digits, value);
        for (int i = 0; i < digits; i++) {
            way = then(way, (char[3]){lower[i], upper[i], 0});
        }
        all = either(all, way);
    }
    return all;
}

static struct ends then_dotted(struct ends ends, const uint8_t ip[4])
{
    char text[16];

    snprintf(text, sizeof text, "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
    return then_text(ends, text);
}

/* The groups from `i` on. `gap`: "::" was used; `fresh`: no ':' is due before the next group. */
static struct ends then_groups(struct ends ends, const uint8_t ip[16], uint32_t i, bool gap,
                               bool fresh)
{
    struct ends all = none_of(ends.key);

    if (i == 8) {
        return ends;
    }
    for (uint32_t end = i + 1; !gap && end <= 8; end++) { /* "::" for groups i to end - 1 */
        if (ip[2 * end - 2] != 0 || ip[2 * end - 1] != 0) {
            break;
        }
        all = either(all, then_groups(then_text(ends, "::"), ip, end, true, true));
    }
    if (!fresh) {
        ends = then(ends, ":");
    }
    if (i == 6) {
        all = either(all, then_dotted(ends, ip + 12));
    }
    return either(all, then_groups(then_group(ends, ip + 2 * i), ip, i + 1, gap, false));
}

static struct ends then_peer(struct ends ends, struct np_addr peer)
{
    uint8_t ip[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct ends all = none_of(ends.key);
    char port[8];

    np_addr_unmap(&peer);
    if (peer.family == NP_FAMILY_IP4) {
        all = then_dotted(ends, peer.ip);
        memcpy(ip + 12, peer.ip, 4);
    } else {
        memcpy(ip, peer.ip, 16);
    }
    all = either(all, then(then_groups(then(ends, "["), ip, 0, false, true), "]"));
    snprintf(port, sizeof port, "%u", peer.port);
    return then_text(then_many(then(all, ":"), "0"), port);
}

/* The letters of np_signal's name form; each in either case. */
static struct ends then_name(struct ends ends, const struct np_addr *peer)
{
    char lower[WIRE_NAME_CAP];

    wire_name(lower, peer);
    for (const char *c = lower; *c != 0; c++) {
        ends = then(ends, (char[3]){*c, (char)(*c - 'a' + 'A'), 0});
    }
    return ends;
}

static bool exists(struct np_key key, const struct wire_case *wire_case, bool as_name)
{
    struct ends ends = none_of(key);
    uint32_t extensions =
        wire_case->is_answer ? wire_case->answer.extensions : wire_case->signal.extensions;

    ends.at[0] = true;
    if (wire_case->host[0] == 0) {
        ends = then_many(ends, PATH);
    } else {
        ends = then_prefix(ends);
        ends = wire_case->is_answer ? then_text(ends, wire_case->host)
               : as_name            ? then_name(ends, &wire_case->signal.peer)
                                    : then_peer(ends, wire_case->signal.peer);
    }
    if (wire_case->path[0] != 0) {
        ends = then(ends, "/");
        for (const char *c = wire_case->path + 1; *c != 0; c++) {
            ends = then_escaped(ends, *c);
        }
    }
    ends = then_escaped(then(then_query(ends, extensions), "#"), wire_case->fragment);
    return memchr(ends.at, true, key.len) != NULL;
}

bool wire_exists(struct np_key key, const struct wire_case *wire_case)
{
    return exists(key, wire_case, false);
}

bool wire_exists_as_name(struct np_key key, const struct wire_case *wire_case)
{
    return !wire_case->is_answer && wire_case->host[0] != 0 && exists(key, wire_case, true);
}
