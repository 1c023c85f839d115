/* SPDX-License-Identifier: BSD-3-Clause */
/* Sending side of dialect v1.6: URLs whose XOR with the key holds no 0x0a (protocol.md 2, flaw 1).
 *
 * The plain form of a Go peer is tried first. If the key forbids it, the message is written down as
 * a plan:
 * a row of steps, each with the freedom that the receiver's URL parser leaves there (other scheme,
 * user part, query, escapes, spellings of an address). Which byte is forbidden depends only on the
 * index modulo the key's length, so `open[s]` is the set of residues from which steps s, s + 1, ...
 * can be written. It is computed from the last step to the first; then a walk from index 0 takes
 * the shortest way whose rest is open. The search is exact for the plans below, except that a line
 * longer than NP_DIALECT_LINE_CAP (possible only with keys of more than 100 bytes) counts as none.
 * Its time is bounded: at most 60 plans a launch (one a layout of the address), each of PLAN_CAP
 * steps times twice the key's length.
 */
#include "core/wire/dialect.h"

#include <string.h>

#include "core/base/fmt.h"

#define NEWLINE 0x0au
#define PLAN_CAP 96u /* the longest plan, an IPv6 launch with extensions, has 85 steps */
#define KEY_CAP 255u
#define ROW_WORDS ((KEY_CAP + 31u) / 32u)
#define GROUPS 8u

enum step_kind {
    STEP_CHAR,     /* a or b */
    STEP_OPTIONAL, /* a or nothing */
    STEP_ESCAPE,   /* a as it is or as %XX */
    STEP_FILL,     /* any number of a and b */
    STEP_SKIP      /* the next a steps may be left out */
};
struct step {
    uint8_t kind; /* enum step_kind */
    char a, b;
};
struct search {
    struct np_key key;
    uint32_t count;
    struct step steps[PLAN_CAP];
    uint32_t open[PLAN_CAP + 1][ROW_WORDS];
};

/* ---- search ---------------------------------------------------------------------------------- */

static bool fits(const struct search *search, uint32_t at, char c)
{
    return ((uint8_t)c ^ search->key.bytes[at % search->key.len]) != NEWLINE;
}

static bool is_open(const struct search *search, uint32_t step, uint32_t at)
{
    uint32_t residue = at % search->key.len;

    return (search->open[step][residue / 32] >> (residue % 32) & 1u) != 0;
}

/* The second digit of an escape that fits at `at`, 0 if neither case does. */
static char low_digit(const struct search *search, uint32_t at, char c)
{
    char lower = "0123456789abcdef"[(uint8_t)c & 15u];
    char upper = "0123456789ABCDEF"[(uint8_t)c & 15u];

    return fits(search, at, upper) ? upper : fits(search, at, lower) ? lower : 0;
}

static bool fits_escape(const struct search *search, uint32_t at, char c)
{
    return fits(search, at, '%') && fits(search, at + 1, "0123456789"[(uint8_t)c >> 4]) &&
           low_digit(search, at + 2, c) != 0;
}

/* Whether the steps from `step` on can be written from index `at`, given the open sets after it
 * (and, for STEP_FILL, what is known of its own). */
static bool can_start(const struct search *search, uint32_t step, uint32_t at)
{
    struct step s = search->steps[step];
    bool next = is_open(search, step + 1, at);
    bool after = is_open(search, step + 1, at + 1);

    switch (s.kind) {
    case STEP_CHAR:
        return after && (fits(search, at, s.a) || fits(search, at, s.b));
    case STEP_OPTIONAL:
        return next || (after && fits(search, at, s.a));
    case STEP_ESCAPE:
        return (after && fits(search, at, s.a)) ||
               (is_open(search, step + 1, at + 3) && fits_escape(search, at, s.a));
    case STEP_FILL:
        return next ||
               ((fits(search, at, s.a) || fits(search, at, s.b)) && is_open(search, step, at + 1));
    default:
        return next || is_open(search, step + 1 + (uint8_t)s.a, at);
    }
}

/* Fills the open sets. Returns false if nothing can be written from index 0. */
static bool solve(struct search *search)
{
    uint32_t len = search->key.len;

    memset(search->open, 0, (search->count + 1) * sizeof search->open[0]);
    memset(search->open[search->count], 0xff, sizeof search->open[0]);
    for (uint32_t step = search->count; step-- > 0;) {
        /* a fill hands back to itself: twice around */
        uint32_t top = search->steps[step].kind == STEP_FILL ? 2 * len : len;
        for (uint32_t at = top; at-- > 0;) {
            if (can_start(search, step, at)) {
                search->open[step][at % len / 32] |= 1u << (at % len % 32);
            }
        }
    }
    return is_open(search, 0, 0);
}

/* Writes one step from index `at` to `out`, which has room for the escape; returns its bytes. */
static uint32_t write_step(const struct search *search, uint32_t step, uint32_t at, char *out)
{
    struct step s = search->steps[step];

    if ((s.kind == STEP_OPTIONAL || s.kind == STEP_FILL || s.kind == STEP_SKIP) &&
        (s.kind == STEP_SKIP || is_open(search, step + 1, at))) {
        return 0;
    }
    if (s.kind != STEP_ESCAPE) {
        out[0] = fits(search, at, s.a) ? s.a : s.b;
        return 1;
    }
    if (fits(search, at, s.a) && is_open(search, step + 1, at + 1)) {
        out[0] = s.a;
        return 1;
    }
    out[0] = '%';
    out[1] = "0123456789"[(uint8_t)s.a >> 4];
    out[2] = low_digit(search, at + 2, s.a);
    return 3;
}

static uint32_t next_step(const struct search *search, uint32_t step, uint32_t at, uint32_t wrote)
{
    struct step s = search->steps[step];

    if (s.kind == STEP_FILL && wrote > 0) {
        return step;
    }
    if (s.kind == STEP_SKIP && is_open(search, step + 1 + (uint8_t)s.a, at)) {
        return step + 1 + (uint8_t)s.a;
    }
    return step + 1;
}

/* XORs `len` bytes of text with the key and ends the line; 0 if a 0x0a shows up in it. */
static uint32_t put_line(uint8_t *out, struct np_key key, const char *text, uint32_t len)
{
    uint32_t k = 0;

    for (uint32_t i = 0; i < len; i++) {
        out[i] = (uint8_t)text[i] ^ key.bytes[k];
        if (out[i] == NEWLINE) {
            return 0;
        }
        k = k + 1 < key.len ? k + 1 : 0;
    }
    out[len] = NEWLINE;
    return len + 1;
}

/* Solves the plan and writes its line; returns the length, 0 if there is none. */
static uint32_t write_plan(struct search *search, uint8_t *out)
{
    char text[NP_DIALECT_LINE_CAP + 3];
    uint32_t len = 0;
    uint32_t step = 0;

    if (!solve(search)) {
        return 0;
    }
    while (step < search->count) {
        uint32_t wrote = write_step(search, step, len, text + len);
        step = next_step(search, step, len, wrote);
        len += wrote;
        if (len > NP_DIALECT_LINE_CAP) {
            return 0;
        }
    }
    return put_line(out, search->key, text, len);
}

/* ---- plans ----------------------------------------------------------------------------------- */

static void search_init(struct search *search, struct np_key key)
{
    search->key = key;
    search->count = 0; /* the rest is written before it is read */
}

static void add(struct search *search, enum step_kind kind, char a, char b)
{
    if (search->count < PLAN_CAP) {
        search->steps[search->count++] = (struct step){(uint8_t)kind, a, b};
    }
}

static void add_char(struct search *search, char c)
{
    add(search, STEP_CHAR, c, c);
}

static void add_text(struct search *search, const char *text, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        add_char(search, text[i]);
    }
}

/* Two letters, of which no key byte can forbid both. */
static void add_fill(struct search *search)
{
    add(search, STEP_FILL, 'a', 'b');
}

/* [scheme:]//[user@] */
static void add_prefix(struct search *search)
{
    add(search, STEP_SKIP, 3, 0);
    add(search, STEP_CHAR, 'a', 'b');
    add_fill(search);
    add_char(search, ':');
    add_text(search, "//", 2);
    add(search, STEP_SKIP, 2, 0);
    add_fill(search);
    add_char(search, '@');
}

/* [?[fill&]x=<letters>[&fill]] or [?fill] */
static void add_query(struct search *search, uint32_t extensions)
{
    if (extensions == 0) {
        add(search, STEP_SKIP, 2, 0);
        add_char(search, '?');
        add_fill(search);
        return;
    }
    add_char(search, '?');
    add(search, STEP_SKIP, 2, 0);
    add_fill(search);
    add_char(search, '&');
    add(search, STEP_ESCAPE, 'x', 0);
    add_char(search, '=');
    for (uint32_t i = 0; i < sizeof NP_DIALECT_EXT_LETTERS - 1; i++) {
        if ((extensions >> i & 1u) != 0) {
            add(search, STEP_ESCAPE, NP_DIALECT_EXT_LETTERS[i], 0);
        }
    }
    add(search, STEP_SKIP, 2, 0);
    add_char(search, '&');
    add_fill(search);
}

static void add_fragment(struct search *search, char fragment)
{
    add_char(search, '#');
    add(search, STEP_ESCAPE, fragment, 0);
}

static void add_dotted(struct search *search, const uint8_t ip[4])
{
    char text[16];

    add_text(search, text, np_fmt(text, sizeof text, "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]));
}

/* An IPv6 group: as few or as many leading zeros as wanted, letters in either case. */
static void add_group(struct search *search, const uint8_t group[2])
{
    bool is_leading = true;

    for (uint32_t i = 0; i < 4; i++) {
        uint32_t digit = (uint32_t)group[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15u;
        is_leading = is_leading && digit == 0 && i < 3;
        add(search, is_leading ? STEP_OPTIONAL : STEP_CHAR, "0123456789abcdef"[digit],
            "0123456789ABCDEF"[digit]);
    }
}

/* How an IPv6 address is laid out. */
struct layout {
    uint32_t gap_at, gap_len; /* groups that "::" stands for; gap_len 0 = no "::" */
    uint32_t groups;          /* 8, or 6 and the last four bytes dotted */
};

/* [v6] */
static void add_ip6(struct search *search, const uint8_t ip[16], struct layout layout)
{
    add_char(search, '[');
    for (uint32_t i = 0; i < layout.groups; i++) {
        bool in_gap = i - layout.gap_at < layout.gap_len;
        if (i == layout.gap_at && layout.gap_len > 0) {
            add_text(search, "::", 2);
        }
        if (in_gap) {
            continue;
        }
        if (i > 0 && (layout.gap_len == 0 || i != layout.gap_at + layout.gap_len)) {
            add_char(search, ':');
        }
        add_group(search, ip + 2 * i);
    }
    if (layout.groups < GROUPS) {
        if (layout.gap_len == 0 || layout.gap_at + layout.gap_len != layout.groups) {
            add_char(search, ':');
        }
        add_dotted(search, ip + 12);
    }
    add_char(search, ']');
}

/* :port, with as many zeros before it as wanted. */
static void add_port(struct search *search, uint16_t port)
{
    char text[6];

    add_char(search, ':');
    add(search, STEP_FILL, '0', '0');
    add_text(search, text, np_fmt(text, sizeof text, "%u", port));
}

/* /id */
static void add_id(struct search *search, uint32_t id)
{
    char text[NP_DIALECT_ID_LEN];

    np_id_format(text, id);
    add_char(search, '/');
    for (uint32_t i = 0; i < NP_DIALECT_ID_LEN; i++) {
        add(search, STEP_ESCAPE, text[i], 0);
    }
}

/* ---- launches -------------------------------------------------------------------------------- */

static char signal_fragment(enum np_signal_kind kind)
{
    static const char fragments[] = {0, 'i', 'o', '0', '1', '2', 'x', 'y', 'n'};

    return kind < sizeof fragments ? fragments[kind] : 0;
}

#define QUERY_CAP (3u + sizeof NP_DIALECT_EXT_LETTERS)

/* The query of the plain form. */
static const char *plain_query(char out[QUERY_CAP], uint32_t extensions)
{
    uint32_t len = extensions == 0 ? 0 : np_fmt(out, QUERY_CAP, "?x=");

    for (uint32_t i = 0; i < sizeof NP_DIALECT_EXT_LETTERS - 1; i++) {
        if ((extensions >> i & 1u) != 0) {
            out[len++] = NP_DIALECT_EXT_LETTERS[i];
        }
    }
    out[len] = 0;
    return out;
}

static void add_launch_end(struct search *search, const struct np_signal *signal)
{
    add_query(search, signal->kind == NP_SIGNAL_UDP ? signal->extensions : 0);
    add_fragment(search, signal_fragment(signal->kind));
}

static uint32_t try_layout(uint8_t *out, struct search *search, const struct np_signal *signal,
                           const uint8_t ip[16], struct layout layout)
{
    search->count = 0;
    add_prefix(search);
    add_ip6(search, ip, layout);
    add_port(search, signal->peer.port);
    add_id(search, signal->id);
    add_launch_end(search, signal);
    return write_plan(search, out);
}

static bool is_zeros(const uint8_t ip[16], struct layout layout)
{
    for (uint32_t i = 2 * layout.gap_at; i < 2 * (layout.gap_at + layout.gap_len); i++) {
        if (ip[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Every layout of an IPv6 address: the last four bytes as groups or dotted, "::" for any run of
 * zero groups, the longest first, or none. */
static uint32_t try_layouts(uint8_t *out, struct search *search, const struct np_signal *signal,
                            const uint8_t ip[16])
{
    struct layout layout;

    for (layout.groups = GROUPS; layout.groups >= GROUPS - 2; layout.groups -= 2) {
        for (layout.gap_len = layout.groups;; layout.gap_len--) {
            uint32_t last = layout.gap_len == 0 ? 0 : layout.groups - layout.gap_len;
            for (layout.gap_at = 0; layout.gap_at <= last; layout.gap_at++) {
                uint32_t len =
                    is_zeros(ip, layout) ? try_layout(out, search, signal, ip, layout) : 0;
                if (len > 0) {
                    return len;
                }
            }
            if (layout.gap_len == 0) {
                break;
            }
        }
    }
    return 0;
}

/* The visitor as a name, for addresses that the key leaves no spelling of (dialect.h): every letter
 * has a second case, so no key forbids one. */
static uint32_t try_name(uint8_t *out, struct search *search, const struct np_signal *signal)
{
    uint32_t ip_len = signal->peer.family == NP_FAMILY_IP4 ? 4 : 16;

    search->count = 0;
    add_prefix(search);
    for (uint32_t i = 0; i < 2 * (ip_len + 2); i++) {
        uint32_t byte = i < 2 * ip_len
                            ? signal->peer.ip[i / 2]
                            : (uint32_t)signal->peer.port >> (i < 2 * ip_len + 2 ? 8 : 0);
        uint32_t nibble = byte >> (i % 2 == 0 ? 4 : 0) & 15u;
        add(search, STEP_CHAR, (char)('a' + nibble), (char)('A' + nibble));
    }
    add_id(search, signal->id);
    add_launch_end(search, signal);
    return write_plan(search, out);
}

static uint32_t search_launch(uint8_t *out, struct np_key key, const struct np_signal *signal)
{
    struct search search;
    uint8_t ip[16] = {0};
    uint32_t len = 0;

    search_init(&search, key);
    if (signal->peer.family == NP_FAMILY_IP4) {
        add_prefix(&search);
        add_dotted(&search, signal->peer.ip);
        add_port(&search, signal->peer.port);
        add_id(&search, signal->id);
        add_launch_end(&search, signal);
        len = write_plan(&search, out);
        memset(ip + 10, 0xff, 2);
        memcpy(ip + 12, signal->peer.ip, 4);
    } else {
        memcpy(ip, signal->peer.ip, sizeof ip);
    }
    if (len == 0) {
        len = try_layouts(out, &search, signal, ip);
    }
    return len > 0 ? len : try_name(out, &search, signal);
}

static uint32_t encode_launch(uint8_t *out, struct np_key key, const struct np_signal *original)
{
    struct np_signal signal = *original;
    char text[NP_ADDR_TEXT_CAP + 32];
    char peer[NP_ADDR_TEXT_CAP];
    char id[NP_DIALECT_ID_LEN];
    char query[QUERY_CAP];
    uint32_t len;

    if (signal.peer.family == NP_FAMILY_NONE) {
        return 0;
    }
    np_addr_unmap(&signal.peer);
    signal.peer.scope = 0; /* a zone means nothing on another machine */
    np_addr_format(&signal.peer, peer, sizeof peer);
    np_id_format(id, signal.id);
    len = np_fmt(text, sizeof text, "np://%s/%.*s%s#%c", peer, (int)sizeof id, id,
                 plain_query(query, signal.kind == NP_SIGNAL_UDP ? signal.extensions : 0),
                 signal_fragment(signal.kind));
    len = put_line(out, key, text, len);
    return len > 0 ? len : search_launch(out, key, &signal);
}

/* ---- the rest -------------------------------------------------------------------------------- */

/* A message without host: as path, filler is possible from the first byte on. */
static uint32_t encode_short(uint8_t *out, struct np_key key, const struct np_signal *signal)
{
    struct search search;
    uint32_t extensions = signal->kind == NP_SIGNAL_EXT ? signal->extensions : 0;
    bool has_id = signal->kind == NP_SIGNAL_HAVE || signal->kind == NP_SIGNAL_MISSING;
    char id[1 + NP_DIALECT_ID_LEN] = "/";
    char query[QUERY_CAP];
    char text[24];

    np_id_format(id + 1, signal->id);
    uint32_t len = np_fmt(text, sizeof text, "%.*s%s#%c", has_id ? (int)sizeof id : 0, id,
                          plain_query(query, extensions), signal_fragment(signal->kind));

    len = put_line(out, key, text, len);
    if (len > 0) {
        return len;
    }
    search_init(&search, key);
    add_fill(&search);
    if (has_id) {
        add_id(&search, signal->id);
    }
    add_query(&search, extensions);
    add_fragment(&search, signal_fragment(signal->kind));
    return write_plan(&search, out);
}

uint32_t np_signal_encode(uint8_t *out, struct np_key key, const struct np_signal *signal)
{
    if (signal_fragment(signal->kind) == 0 || key.len == 0 || key.len > KEY_CAP) {
        return 0;
    }
    if (signal->kind == NP_SIGNAL_TCP || signal->kind == NP_SIGNAL_UDP) {
        return encode_launch(out, key, signal);
    }
    return encode_short(out, key, signal);
}

uint32_t np_answer_encode(uint8_t *out, struct np_key key, const struct np_answer *answer)
{
    struct search search;
    char query[QUERY_CAP];
    char text[48];
    uint32_t len;

    if (key.len == 0 || key.len > KEY_CAP || answer->tls > 2) {
        return 0;
    }
    len = np_fmt(text, sizeof text, "np://%u/%c%s#%u", (unsigned)answer->max, answer->flow,
                 plain_query(query, answer->extensions), answer->tls);
    len = put_line(out, key, text, len);
    if (len > 0) {
        return len;
    }
    search_init(&search, key);
    add_prefix(&search);
    add_text(&search, text, np_fmt(text, sizeof text, "%u", (unsigned)answer->max));
    add_char(&search, '/');
    add(&search, STEP_ESCAPE, answer->flow, 0);
    add_query(&search, answer->extensions);
    add_fragment(&search, (char)('0' + answer->tls));
    return write_plan(&search, out);
}
