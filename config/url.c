/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/url.h"

#include <string.h>

#include "config/endpoint.h"
#include "config/query.h"
#include "core/base/fmt.h"

#define SHOWN_BYTES 80u /* of a bad endpoint in an error */
#if NP_MASTER
#define SCHEMES "server://, client:// or master://"
#else
#define SCHEMES "server:// or client://: this build has no master"
#endif
#define WANT_KEY                                                                                   \
    "key: want '/', '?', '#' and '@' in it as %%2F, %%3F, %%23 and %%40 (the key is not shown)"

struct span {
    const char *text;
    uint32_t len;
};

/* The pieces of one URL. */
struct pieces {
    struct span key, tunnel, path, query; /* path without its first '/' */
    bool has_at;                          /* key is there, maybe empty */
    bool has_stray_at; /* an '@' behind the place of the key: what stands before may be a secret */
};

/* Reports of one URL, passed on with the URL behind each. */
struct quoting {
    struct np_report *outer;
    const char *url;
    uint32_t len;
};

static void line_with_url(void *context, bool is_error, const char *text)
{
    const struct quoting *quoting = context;
    char masked[NP_URL_MASKED_CAP];

    np_url_mask(quoting->url, quoting->len, masked, sizeof(masked));
    if (is_error) {
        np_report_error(quoting->outer, "%s (in %s)", text, masked);
    } else {
        np_report_warning(quoting->outer, "%s (in %s)", text, masked);
    }
}

/* ---- pieces ---------------------------------------------------------------------------------- */

/* Index of the first byte of `set` in `span`, or its length. */
static uint32_t find_any(struct span span, const char *set)
{
    uint32_t i = 0;

    while (i < span.len && (span.text[i] == '\0' || strchr(set, span.text[i]) == NULL)) {
        i++;
    }
    return i;
}

/* Index behind the last '@', 0 if there is none. */
static uint32_t behind_last_at(struct span span)
{
    uint32_t i = span.len;

    while (i > 0 && span.text[i - 1] != '@') {
        i--;
    }
    return i;
}

static struct span skip(struct span span, uint32_t count)
{
    count = count < span.len ? count : span.len;
    return (struct span){span.text + count, span.len - count};
}

static uint32_t scheme_len(struct span url)
{
    uint32_t colon = find_any(url, ":@");

    return url.len - colon >= 3 && memcmp(url.text + colon, "://", 3) == 0 ? colon + 3 : 0;
}

enum np_role np_url_role(const char *url, uint32_t len)
{
    static const char *const names[] = {"server://", "client://", "master://"};

    if (len < 9) {
        return NP_ROLE_NONE;
    }
    for (uint32_t n = 0; n < 3; n++) {
        uint32_t i = 0;

        while (i < 9 &&
               ((unsigned char)url[i] | (i < 6 ? 0x20u : 0u)) == (unsigned char)names[n][i]) {
            i++;
        }
        if (i == 9) {
            return (enum np_role)(NP_ROLE_SERVER + n);
        }
    }
    return NP_ROLE_NONE;
}

static void split(struct pieces *pieces, struct span rest)
{
    struct span authority = {rest.text, find_any(rest, "/?")};
    uint32_t behind_key = behind_last_at(authority);

    rest = skip(rest, authority.len);
    pieces->has_at = behind_key > 0;
    pieces->has_stray_at = behind_last_at(rest) > 0;
    pieces->key = (struct span){authority.text, behind_key > 0 ? behind_key - 1 : 0};
    pieces->tunnel = skip(authority, behind_key);
    pieces->path = (struct span){rest.text, find_any(rest, "?")};
    pieces->query = skip(rest, pieces->path.len + 1);
    pieces->path = skip(pieces->path, 1);
}

/* ---- parts ----------------------------------------------------------------------------------- */

static void parse_key(struct np_settings *settings, const struct pieces *pieces,
                      struct np_report *report)
{
    struct span key = pieces->key;
    uint32_t colon = find_any(key, ":");
    char decoded[NP_MAX_KEY];
    int32_t len;

    if (!pieces->has_at) {
        return;
    }
    if (settings->role == NP_ROLE_MASTER) {
        np_report_warning(report, "key: a master has none, ignored");
        return;
    }
    if (colon < key.len) {
        np_report_warning(report, "key: a ':' ends it, the rest is ignored; want %%3A for a ':' in "
                                  "the key");
        key.len = colon;
    }
    if (key.len == 0) {
        np_report_warning(report, "key: nothing before the '@', so the key is made from the port");
        return;
    }
    len = np_query_decode(key.text, key.len, false, decoded, sizeof(decoded));
    if (len == -1) {
        np_report_error(report, "key: want two hex digits after each '%%'");
    } else if (len < 0) {
        np_report_error(report, "key: want 1 to %u bytes", (unsigned)NP_MAX_KEY);
    } else {
        memcpy(settings->key, decoded, (uint32_t)len);
        settings->key_len = (uint16_t)len;
        settings->key_given = true;
    }
}

/* An IPv6 zone is "%25" and its number in a URL (RFC 6874), "%" and its number in an endpoint. */
static const char *parse_endpoint(struct np_endpoint *endpoint, struct span text)
{
    char plain[NP_ENDPOINT_TEXT_CAP];
    uint32_t percent = find_any(text, "%"), used = 0;

    if (text.len == 0 || text.text[0] != '[' || text.len > sizeof(plain) ||
        text.len - percent < 3) {
        return np_endpoint_parse(endpoint, text.text, text.len);
    }
    if (memcmp(text.text + percent, "%25", 3) != 0) {
        return "want an IPv6 zone as %25 and its number, as in [fe80::1%252]:80";
    }
    for (uint32_t i = 0; i < text.len; i++) {
        if (i != percent + 1 && i != percent + 2) {
            plain[used++] = text.text[i];
        }
    }
    return np_endpoint_parse(endpoint, plain, used);
}

static void parse_place(struct np_endpoint *endpoint, const char *name, const char *example,
                        struct span text, struct np_report *report)
{
    const char *want;

    if (text.len == 0) {
        np_report_error(report, "%s: missing, want host:port%s", name, example);
        return;
    }
    want = parse_endpoint(endpoint, text);
    if (want != NULL) {
        np_report_error(report, "%s=%.*s%s: %s", name,
                        (int)(text.len > SHOWN_BYTES ? SHOWN_BYTES : text.len), text.text,
                        text.len > SHOWN_BYTES ? "..." : "", want);
    }
}

const char *np_url_parse_prefix(struct np_settings *settings, const char *text, uint32_t len)
{
    uint32_t slash = len > 0 && text[0] == '/' ? 0 : 1;

    if (len == 0) {
        return NULL;
    }
    for (uint32_t i = 0; i < len; i++) {
        char c = text[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c != '\0' && strchr("-._~/", c) != NULL))) {
            return "want letters, digits and - . _ ~ / only";
        }
    }
    if (len + slash > NP_MAX_PATH) {
        return "it is too long";
    }
    settings->prefix[0] = '/';
    memcpy(settings->prefix + slash, text, len);
    settings->prefix[len + slash] = '\0';
    return NULL;
}

static void parse_parts(struct np_settings *settings, uint32_t *seen, const struct pieces *pieces,
                        struct np_report *report)
{
    const char *want;

    parse_key(settings, pieces, report);
    parse_place(&settings->tunnel, "tunnel", " behind the scheme or the key", pieces->tunnel,
                report);
    if (settings->role != NP_ROLE_MASTER) {
        parse_place(&settings->target, "target", " behind the tunnel, as in /127.0.0.1:80",
                    pieces->path, report);
    } else {
        want = np_url_parse_prefix(settings, pieces->path.text, pieces->path.len);
        if (want != NULL) {
            np_report_error(report, "prefix: %s", want);
        }
    }
    np_query_parse(settings, seen, pieces->query.text, pieces->query.len, report);
}

/* An '@' that stands too late means that the key holds a '/' or '?', and that what looks like the
 * tunnel is a part of the key. In a query behind a good tunnel and target it is harmless. */
static bool is_key_cut(const struct pieces *pieces, bool has_target)
{
    struct np_endpoint endpoint;

    if (!pieces->has_stray_at) {
        return false;
    }
    return behind_last_at(pieces->path) > 0 || parse_endpoint(&endpoint, pieces->tunnel) != NULL ||
           (has_target && parse_endpoint(&endpoint, pieces->path) != NULL);
}

static void parse_whole(struct np_settings *settings, uint32_t *seen, struct span url,
                        struct np_report *report)
{
    struct pieces pieces;

    if (url.len > NP_MAX_URL) {
        np_report_error(report, "the URL is too long, want at most %u bytes", (unsigned)NP_MAX_URL);
        return;
    }
    for (uint32_t i = 0; i < url.len; i++) {
        if ((unsigned char)url.text[i] <= 0x20 || (unsigned char)url.text[i] >= 0x7f) {
            np_report_error(report, "byte %u of the URL: want printable ASCII, all else as %%XX",
                            i + 1);
            return;
        }
    }
    settings->role = (uint8_t)np_url_role(url.text, url.len);
    if (settings->role == NP_ROLE_NONE || (settings->role == NP_ROLE_MASTER && !NP_MASTER)) {
        np_report_error(report, "unknown scheme: want " SCHEMES);
        return;
    }
    split(&pieces, skip(url, scheme_len(url)));
    if (is_key_cut(&pieces, settings->role != NP_ROLE_MASTER) ||
        (find_any(url, "#") < url.len && behind_last_at(url) > 0)) {
        np_report_error(report, WANT_KEY);
    } else if (find_any(url, "#") < url.len) {
        np_report_error(report, "the URL has a '#': want %%23 for it");
    } else {
        parse_parts(settings, seen, &pieces, report);
    }
}

void np_url_apply(struct np_settings *settings, uint32_t *seen, const char *url, uint32_t len,
                  struct np_report *report)
{
    struct quoting quoting = {report, url, len};
    struct np_report inner = {line_with_url, &quoting, 0};

    parse_whole(settings, seen, (struct span){url, len}, &inner);
}

void np_url_parse(struct np_settings *settings, const char *url, uint32_t len,
                  struct np_report *report)
{
    struct quoting quoting = {report, url, len};
    struct np_report inner = {line_with_url, &quoting, 0};
    uint32_t seen = 0;

    np_settings_init(settings);
    parse_whole(settings, &seen, (struct span){url, len}, &inner);
    if (settings->role != NP_ROLE_NONE) {
        np_settings_complete(settings, &inner);
    }
}

/* ---- masking --------------------------------------------------------------------------------- */

static uint32_t put(char *out, uint32_t cap, uint32_t used, const char *text, uint32_t len)
{
    for (uint32_t i = 0; i < len && used + 1 < cap; i++) {
        char c = text[i];

        out[used++] = c;
        if ((unsigned char)c < 0x20 || (unsigned char)c >= 0x7f) {
            out[used - 1] = '?';
        }
    }
    return used;
}

static uint32_t mask_query(struct span query, char *out, uint32_t cap, uint32_t used)
{
    while (query.len > 0) {
        struct span pair = {query.text, find_any(query, "&")};
        uint32_t equals = find_any(pair, "=");

        if (equals < pair.len && !np_query_is_known(pair.text, equals)) {
            used = put(out, cap, used, pair.text, equals + 1);
            used = put(out, cap, used, "***", 3);
        } else {
            used = put(out, cap, used, pair.text, pair.len);
        }
        query = skip(query, pair.len);
        used = put(out, cap, used, query.text, query.len > 0 ? 1 : 0);
        query = skip(query, 1);
    }
    return used;
}

uint32_t np_url_mask(const char *url, uint32_t len, char *out, uint32_t cap)
{
    struct span all = {url, len};
    struct span rest = skip(all, scheme_len(all));
    uint32_t behind_key = behind_last_at(rest), question, used;

    used = put(out, cap, 0, url, scheme_len(all));
    if (behind_key > 0) {
        used = put(out, cap, used, "***@", 4);
        rest = skip(rest, behind_key);
    }
    question = find_any(rest, "?");
    used = put(out, cap, used, rest.text, question < rest.len ? question + 1 : question);
    used = mask_query(skip(rest, question + 1), out, cap, used);
    out[used] = '\0';
    return used;
}
