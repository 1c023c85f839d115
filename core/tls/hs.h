/* SPDX-License-Identifier: BSD-3-Clause */
/* hs: what the files of the handshake share; nobody else includes it. */
#ifndef NP_CORE_TLS_HS_H
#define NP_CORE_TLS_HS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/tls/handshake.h"
#include "core/tls/schedule.h"
#include "core/tls/wire.h"

/* Message types (RFC 8446 section 4). */
#define NP_TLS_MSG_CLIENT_HELLO 1u
#define NP_TLS_MSG_SERVER_HELLO 2u
#define NP_TLS_MSG_TICKET 4u
#define NP_TLS_MSG_ENCRYPTED_EXTENSIONS 8u
#define NP_TLS_MSG_CERTIFICATE 11u
#define NP_TLS_MSG_CERTIFICATE_REQUEST 13u
#define NP_TLS_MSG_CERTIFICATE_VERIFY 15u
#define NP_TLS_MSG_FINISHED 20u
#define NP_TLS_MSG_KEY_UPDATE 24u

/* Extensions that we know (section 4.2), as places in a table. */
enum np_tls_ext {
    NP_TLS_EXT_SERVER_NAME,
    NP_TLS_EXT_GROUPS,
    NP_TLS_EXT_SIGNATURES,
    NP_TLS_EXT_RECORD_LIMIT,
    NP_TLS_EXT_PSK,
    NP_TLS_EXT_EARLY_DATA,
    NP_TLS_EXT_VERSIONS,
    NP_TLS_EXT_COOKIE,
    NP_TLS_EXT_PSK_MODES,
    NP_TLS_EXT_KEY_SHARE,
    NP_TLS_EXTS
};
#define NP_TLS_EXT_BIT(ext) (1u << (ext))

/* The extensions of a message. */
struct np_tls_exts {
    struct np_tls_reader body[NP_TLS_EXTS];
    uint32_t present; /* NP_TLS_EXT_BIT */
    bool has_unknown;
    bool is_psk_last; /* pre_shared_key stands at the end */
};

/* A ClientHello or ServerHello; the readers point into the message. */
struct np_tls_hello {
    const uint8_t *random; /* 32 bytes */
    struct np_tls_reader session_id;
    struct np_tls_reader suites;      /* ClientHello */
    struct np_tls_reader compression; /* ClientHello */
    uint16_t suite;                   /* ServerHello */
    uint8_t compression_method;       /* ServerHello */
    struct np_tls_exts exts;
};

extern const uint8_t np_tls_retry_random[32];

/* ---- handshake.c ---- */
/* First reason sticks. */
void np_tls_hs_fail(struct np_tls_hs *hs, enum np_tls_reason reason);
/* Hash of the messages so far, by the suite. */
void np_tls_hs_hash(const struct np_tls_hs *hs, uint8_t out[NP_TLS_HASH_MAX]);
/* Appends the assembled message to the transcript. */
void np_tls_hs_append_in(struct np_tls_hs *hs);
/* The assembled message without its header. */
struct np_tls_reader np_tls_hs_body(const struct np_tls_hs *hs);
/* Begins a message in `out`; end appends it to the transcript and makes it due. */
struct np_tls_writer np_tls_hs_message(struct np_tls_hs *hs, uint32_t type);
void np_tls_hs_message_end(struct np_tls_hs *hs, struct np_tls_writer *writer);
/* Hello messages are through: traffic secrets of the handshake. `dhe` NULL = none. */
void np_tls_hs_derive_handshake(struct np_tls_hs *hs, const uint8_t *dhe);
/* The server's Finished is in the transcript: traffic secrets of the data. */
void np_tls_hs_derive_data(struct np_tls_hs *hs);
/* Fails unless the assembled Finished is the right one for `secret`; true if it is. */
bool np_tls_hs_check_finished(struct np_tls_hs *hs, const uint8_t *secret);
/* Suites in order of preference: config, or what suits the CPU. */
const uint16_t *np_tls_hs_suites(const struct np_tls_config *config);
const uint16_t *np_tls_hs_groups(const struct np_tls_config *config);
bool np_tls_list_has(const uint16_t *list, uint32_t cap, uint16_t value);

/* ---- hs_hello.c ---- */
/* Parses a list of extensions with its length in front. */
enum np_tls_reason np_tls_exts_parse(struct np_tls_exts *exts, struct np_tls_reader *reader);
enum np_tls_reason np_tls_client_hello_parse(struct np_tls_hello *hello, struct np_tls_reader body);
enum np_tls_reason np_tls_server_hello_parse(struct np_tls_hello *hello, struct np_tls_reader body);
/* Writes a ClientHello to `out` and makes it due; `cookie` of `cookie_len` bytes, 0 = none. */
void np_tls_hs_write_client_hello(struct np_tls_hs *hs, const uint8_t *cookie, uint32_t cookie_len);
/* True if one of the 16-bit numbers left in `list` is `value`. */
bool np_tls_vector_has(struct np_tls_reader list, uint32_t value);
bool np_tls_is_scheme_offered(uint16_t scheme);

/* ---- hs_psk.c ---- */
/* Writes pre_shared_key with the binder over what the writer holds; the last extension. `marks` are
 * those of message and extensions, whose lengths the binder covers. */
void np_tls_hs_write_psk(struct np_tls_hs *hs, struct np_tls_writer *writer, uint32_t message_mark,
                         uint32_t exts_mark);
/* Server: looks for a common PSK and checks its binder; sets hs->psk (0 = none). */
enum np_tls_reason np_tls_hs_choose_psk(struct np_tls_hs *hs, const struct np_tls_hello *hello);
/* The PSK in use, or NULL. */
const struct np_tls_psk *np_tls_hs_psk(const struct np_tls_hs *hs);

/* ---- hs_cert.c ---- */
/* Client: takes bytes of a Certificate message's body. */
void np_tls_hs_cert_begin(struct np_tls_hs *hs, uint32_t len);
void np_tls_hs_cert_feed(struct np_tls_hs *hs, const uint8_t *bytes, uint32_t len);
void np_tls_hs_cert_verify_in(struct np_tls_hs *hs);
/* Server: the next piece of a Certificate message; CertificateVerify. */
void np_tls_hs_write_certificate(struct np_tls_hs *hs);
void np_tls_hs_write_entry(struct np_tls_hs *hs);
uint32_t np_tls_hs_copy_der(struct np_tls_hs *hs, uint8_t *dst, uint32_t cap);
void np_tls_hs_write_entry_end(struct np_tls_hs *hs);
/* False if the signer asks to be called again. */
bool np_tls_hs_write_certificate_verify(struct np_tls_hs *hs);

/* ---- hs_client.c, hs_server.c: one function a state, called with the assembled message ---- */
void np_tls_hs_expect_sh(struct np_tls_hs *hs);
void np_tls_hs_expect_ee(struct np_tls_hs *hs);
void np_tls_hs_expect_cr(struct np_tls_hs *hs);
void np_tls_hs_expect_server_fin(struct np_tls_hs *hs);
void np_tls_hs_expect_ch(struct np_tls_hs *hs);
void np_tls_hs_expect_client_fin(struct np_tls_hs *hs);
void np_tls_hs_write_encrypted_extensions(struct np_tls_hs *hs);

#endif
