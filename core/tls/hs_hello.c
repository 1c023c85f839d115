/* SPDX-License-Identifier: BSD-3-Clause */
/* Hello messages: RFC 8446 sections 4.1 and 4.2. */
#include <stddef.h>
#include <string.h>

#include "core/base/addr.h"
#include "core/tls/hs.h"

/* A hello with more extensions than this is no hello of anybody's. */
#define EXTS_MAX 64u

static const uint16_t ext_types[NP_TLS_EXTS] = {
    [NP_TLS_EXT_SERVER_NAME] = 0,   [NP_TLS_EXT_GROUPS] = 10, [NP_TLS_EXT_SIGNATURES] = 13,
    [NP_TLS_EXT_RECORD_LIMIT] = 28, [NP_TLS_EXT_PSK] = 41,    [NP_TLS_EXT_EARLY_DATA] = 42,
    [NP_TLS_EXT_VERSIONS] = 43,     [NP_TLS_EXT_COOKIE] = 44, [NP_TLS_EXT_PSK_MODES] = 45,
    [NP_TLS_EXT_KEY_SHARE] = 51,
};

/* What the client takes; rsa_pkcs1 is for certificates' own signatures only. */
static const uint16_t schemes[] = {
    NP_TLS_ECDSA_P256_SHA256, NP_TLS_ECDSA_P384_SHA384, NP_TLS_RSA_PSS_SHA256,
    NP_TLS_RSA_PSS_SHA384,    NP_TLS_RSA_PSS_SHA512,    NP_TLS_RSA_PKCS1_SHA256,
    NP_TLS_RSA_PKCS1_SHA384,  NP_TLS_RSA_PKCS1_SHA512,
};
#define HANDSHAKE_SCHEMES 5u

/* SHA-256 of "HelloRetryRequest" (section 4.1.3). */
const uint8_t np_tls_retry_random[32] = {
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

bool np_tls_is_scheme_offered(uint16_t scheme)
{
    return np_tls_list_has(schemes, HANDSHAKE_SCHEMES, scheme);
}

bool np_tls_vector_has(struct np_tls_reader list, uint32_t value)
{
    while (list.left >= 2) {
        if (np_tls_read_uint(&list, 2) == value) {
            return true;
        }
    }
    return false;
}

enum np_tls_reason np_tls_exts_parse(struct np_tls_exts *exts, struct np_tls_reader *reader)
{
    struct np_tls_reader list = np_tls_read_vector(reader, 2, 0, 0xffff);
    uint16_t seen[EXTS_MAX];
    uint32_t count = 0;

    memset(exts, 0, sizeof(*exts));
    while (list.left > 0) {
        uint16_t type = (uint16_t)np_tls_read_uint(&list, 2);
        struct np_tls_reader body = np_tls_read_vector(&list, 2, 0, 0xffff);
        uint32_t place = 0;

        if (list.is_bad) {
            return NP_TLS_DECODE;
        }
        if (count == EXTS_MAX || np_tls_list_has(seen, count, type)) {
            return NP_TLS_ILLEGAL;
        }
        seen[count++] = type;
        while (place < NP_TLS_EXTS && ext_types[place] != type) {
            place++;
        }
        exts->is_psk_last = place == NP_TLS_EXT_PSK;
        if (place == NP_TLS_EXTS) {
            exts->has_unknown = true;
            continue;
        }
        exts->body[place] = body;
        exts->present |= NP_TLS_EXT_BIT(place);
    }
    return list.is_bad ? NP_TLS_DECODE : NP_TLS_FINE;
}

enum np_tls_reason np_tls_client_hello_parse(struct np_tls_hello *hello, struct np_tls_reader body)
{
    enum np_tls_reason reason;

    memset(hello, 0, sizeof(*hello));
    np_tls_read_uint(&body, 2); /* legacy_version says nothing */
    hello->random = np_tls_read(&body, 32);
    hello->session_id = np_tls_read_vector(&body, 1, 0, 32);
    hello->suites = np_tls_read_vector(&body, 2, 2, 0xfffe);
    hello->compression = np_tls_read_vector(&body, 1, 1, 255);
    if (body.is_bad || hello->suites.left % 2 != 0) {
        return NP_TLS_DECODE;
    }
    if (body.left == 0) { /* hellos before TLS 1.2 may end here */
        return NP_TLS_VERSION;
    }
    reason = np_tls_exts_parse(&hello->exts, &body);
    if (reason == NP_TLS_FINE && !np_tls_reader_is_done(&body)) {
        return NP_TLS_DECODE;
    }
    return reason;
}

enum np_tls_reason np_tls_server_hello_parse(struct np_tls_hello *hello, struct np_tls_reader body)
{
    enum np_tls_reason reason;
    uint32_t version;

    memset(hello, 0, sizeof(*hello));
    version = np_tls_read_uint(&body, 2);
    hello->random = np_tls_read(&body, 32);
    hello->session_id = np_tls_read_vector(&body, 1, 0, 32);
    hello->suite = (uint16_t)np_tls_read_uint(&body, 2);
    hello->compression_method = (uint8_t)np_tls_read_uint(&body, 1);
    if (body.is_bad) {
        return NP_TLS_DECODE;
    }
    if (version != 0x0303 || body.left == 0) {
        return NP_TLS_VERSION;
    }
    reason = np_tls_exts_parse(&hello->exts, &body);
    if (reason == NP_TLS_FINE && !np_tls_reader_is_done(&body)) {
        return NP_TLS_DECODE;
    }
    return reason;
}

/* ---- building -------------------------------------------------------------------------------- */

static uint32_t ext_begin(struct np_tls_hs *hs, struct np_tls_writer *writer, enum np_tls_ext ext)
{
    hs->offered |= (uint16_t)NP_TLS_EXT_BIT(ext);
    np_tls_write_uint(writer, ext_types[ext], 2);
    return np_tls_write_begin(writer, 2);
}

/* An IP address is never sent as server_name (RFC 6066 section 3). */
static bool is_name_sendable(const char *name)
{
    struct np_addr addr;

    return name != NULL && name[0] != '\0' && strlen(name) <= 253 &&
           !np_addr_parse_ip(&addr, name, (uint32_t)strlen(name), 0);
}

static void write_server_name(struct np_tls_hs *hs, struct np_tls_writer *writer)
{
    const char *name = hs->config->server_name;
    uint32_t mark, len;

    if (!is_name_sendable(name)) {
        return;
    }
    len = (uint32_t)strlen(name);
    len -= name[len - 1] == '.' ? 1u : 0u; /* sent without the dot of the root */
    mark = ext_begin(hs, writer, NP_TLS_EXT_SERVER_NAME);
    np_tls_write_uint(writer, len + 3, 2);
    np_tls_write_uint(writer, 0, 1); /* host_name */
    np_tls_write_uint(writer, len, 2);
    np_tls_write(writer, name, len);
    np_tls_write_end(writer, mark, 2);
}

static void write_groups(struct np_tls_hs *hs, struct np_tls_writer *writer)
{
    const uint16_t *groups = np_tls_hs_groups(hs->config);
    uint32_t mark = ext_begin(hs, writer, NP_TLS_EXT_GROUPS), list = np_tls_write_begin(writer, 2);

    for (uint32_t i = 0; i < NP_TLS_GROUPS && groups[i] != 0; i++) {
        np_tls_write_uint(writer, groups[i], 2);
    }
    np_tls_write_end(writer, list, 2);
    np_tls_write_end(writer, mark, 2);
    mark = ext_begin(hs, writer, NP_TLS_EXT_KEY_SHARE);
    list = np_tls_write_begin(writer, 2);
    np_tls_write_uint(writer, hs->group, 2);
    np_tls_write_uint(writer, np_tls_group_share_len(hs->group), 2);
    np_tls_write(writer, hs->share, np_tls_group_share_len(hs->group));
    np_tls_write_end(writer, list, 2);
    np_tls_write_end(writer, mark, 2);
}

static void write_schemes(struct np_tls_hs *hs, struct np_tls_writer *writer)
{
    uint32_t mark = ext_begin(hs, writer, NP_TLS_EXT_SIGNATURES);

    np_tls_write_uint(writer, sizeof(schemes), 2);
    for (uint32_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        np_tls_write_uint(writer, schemes[i], 2);
    }
    np_tls_write_end(writer, mark, 2);
}

static void write_psk_modes(struct np_tls_hs *hs, struct np_tls_writer *writer)
{
    uint32_t mark = ext_begin(hs, writer, NP_TLS_EXT_PSK_MODES);
    uint32_t list = np_tls_write_begin(writer, 1);

    if (hs->config->psk_modes & NP_TLS_PSK_DHE_KE) {
        np_tls_write_uint(writer, 1, 1);
    }
    if (hs->config->psk_modes & NP_TLS_PSK_KE) {
        np_tls_write_uint(writer, 0, 1);
    }
    np_tls_write_end(writer, list, 1);
    np_tls_write_end(writer, mark, 2);
}

/* After a HelloRetryRequest only PSKs that fit the suite are offered again (section 4.1.4). */
static bool can_offer_psk(const struct np_tls_hs *hs)
{
    return hs->config->psk_count > 0 &&
           (hs->suite == NULL || hs->suite->hash == hs->config->psks[0].hash);
}

static void write_suites(struct np_tls_hs *hs, struct np_tls_writer *writer)
{
    const uint16_t *suites = np_tls_hs_suites(hs->config);
    uint32_t mark = np_tls_write_begin(writer, 2);

    for (uint32_t i = 0; i < NP_TLS_SUITES && suites[i] != 0; i++) {
        np_tls_write_uint(writer, suites[i], 2);
    }
    np_tls_write_end(writer, mark, 2);
    np_tls_write_uint(writer, 0x0100, 2); /* no compression */
}

static void write_exts(struct np_tls_hs *hs, struct np_tls_writer *writer, const uint8_t *cookie,
                       uint32_t cookie_len)
{
    uint32_t mark;

    write_server_name(hs, writer);
    mark = ext_begin(hs, writer, NP_TLS_EXT_VERSIONS);
    np_tls_write_uint(writer, 0x020304, 3);
    np_tls_write_end(writer, mark, 2);
    if (hs->config->trust != NULL) {
        write_schemes(hs, writer);
    }
    if (hs->group != 0) {
        write_groups(hs, writer);
    }
    if (hs->config->record_limit != 0) {
        mark = ext_begin(hs, writer, NP_TLS_EXT_RECORD_LIMIT);
        np_tls_write_uint(writer, hs->config->record_limit, 2);
        np_tls_write_end(writer, mark, 2);
    }
    if (cookie_len > 0) {
        mark = ext_begin(hs, writer, NP_TLS_EXT_COOKIE);
        np_tls_write_uint(writer, cookie_len, 2);
        np_tls_write(writer, cookie, cookie_len);
        np_tls_write_end(writer, mark, 2);
    }
}

void np_tls_hs_write_client_hello(struct np_tls_hs *hs, const uint8_t *cookie, uint32_t cookie_len)
{
    struct np_tls_writer writer = np_tls_hs_message(hs, NP_TLS_MSG_CLIENT_HELLO);
    uint32_t message = writer.len, exts;

    hs->offered = 0;
    np_tls_write_uint(&writer, 0x0303, 2);
    np_tls_write(&writer, hs->random, sizeof(hs->random));
    np_tls_write_uint(&writer, hs->session_id_len, 1);
    np_tls_write(&writer, hs->session_id, hs->session_id_len);
    write_suites(hs, &writer);
    exts = np_tls_write_begin(&writer, 2);
    write_exts(hs, &writer, cookie, cookie_len);
    if (can_offer_psk(hs)) {
        write_psk_modes(hs, &writer);
        hs->offered |= (uint16_t)NP_TLS_EXT_BIT(NP_TLS_EXT_PSK);
        np_tls_hs_write_psk(hs, &writer, message, exts);
    } else {
        np_tls_write_end(&writer, exts, 2);
    }
    np_tls_hs_message_end(hs, &writer);
}
