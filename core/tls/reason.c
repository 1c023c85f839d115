/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/reason.h"

struct entry {
    uint8_t alert;
    const char *text;
};

static const struct entry entries[NP_TLS_REASONS] = {
    [NP_TLS_FINE] = {NP_TLS_ALERT_CLOSE_NOTIFY, "no error"},
    [NP_TLS_NOT_TLS] = {NP_TLS_ALERT_UNEXPECTED_MESSAGE, "the peer does not speak TLS"},
    [NP_TLS_UNEXPECTED] = {NP_TLS_ALERT_UNEXPECTED_MESSAGE, "unexpected message"},
    [NP_TLS_BAD_MAC] = {NP_TLS_ALERT_BAD_RECORD_MAC, "a record was altered on its way"},
    [NP_TLS_RECORD_TOO_LONG] = {NP_TLS_ALERT_RECORD_OVERFLOW, "record too long"},
    [NP_TLS_MESSAGE_TOO_LONG] = {NP_TLS_ALERT_ILLEGAL_PARAMETER, "handshake message too long"},
    [NP_TLS_DECODE] = {NP_TLS_ALERT_DECODE_ERROR, "malformed message"},
    [NP_TLS_ILLEGAL] = {NP_TLS_ALERT_ILLEGAL_PARAMETER, "illegal value in a message"},
    [NP_TLS_KEY_CHANGE] = {NP_TLS_ALERT_UNEXPECTED_MESSAGE, "message across a change of keys"},
    [NP_TLS_NO_PROGRESS] = {NP_TLS_ALERT_UNEXPECTED_MESSAGE, "too many records without data"},
    [NP_TLS_TRUNCATED] = {NP_TLS_ALERT_DECODE_ERROR, "connection ended in the middle"},
    [NP_TLS_VERSION] = {NP_TLS_ALERT_PROTOCOL_VERSION, "the peer does not speak TLS 1.3"},
    [NP_TLS_DOWNGRADE] = {NP_TLS_ALERT_ILLEGAL_PARAMETER, "somebody lowered the TLS version"},
    [NP_TLS_NO_SUITE] = {NP_TLS_ALERT_HANDSHAKE_FAILURE, "no common cipher suite"},
    [NP_TLS_NO_GROUP] = {NP_TLS_ALERT_HANDSHAKE_FAILURE, "no common key exchange group"},
    [NP_TLS_NO_SCHEME] = {NP_TLS_ALERT_HANDSHAKE_FAILURE, "no common signature scheme"},
    [NP_TLS_MISSING_EXTENSION] = {NP_TLS_ALERT_MISSING_EXTENSION, "an extension is missing"},
    [NP_TLS_STRAY_EXTENSION] = {NP_TLS_ALERT_UNSUPPORTED_EXTENSION,
                                "an extension was not asked for"},
    [NP_TLS_BAD_SHARE] = {NP_TLS_ALERT_ILLEGAL_PARAMETER, "bad key share"},
    [NP_TLS_NO_AUTH] = {NP_TLS_ALERT_HANDSHAKE_FAILURE, "neither certificate nor common PSK"},
    [NP_TLS_PSK_BINDER] = {NP_TLS_ALERT_DECRYPT_ERROR, "the PSK differs"},
    [NP_TLS_FINISHED] = {NP_TLS_ALERT_DECRYPT_ERROR, "the handshake was altered on its way"},
    [NP_TLS_CERT_SIGNATURE] = {NP_TLS_ALERT_DECRYPT_ERROR,
                               "the peer does not hold the certificate's key"},
    [NP_TLS_CERT_EMPTY] = {NP_TLS_ALERT_DECODE_ERROR, "the server sent no certificate"},
    [NP_TLS_CERT_MALFORMED] = {NP_TLS_ALERT_BAD_CERTIFICATE, "malformed certificate"},
    [NP_TLS_CERT_UNSUPPORTED] = {NP_TLS_ALERT_UNSUPPORTED_CERTIFICATE,
                                 "certificate of an unknown kind"},
    [NP_TLS_CERT_WEAK] = {NP_TLS_ALERT_BAD_CERTIFICATE, "certificate with weak key or signature"},
    [NP_TLS_CERT_UNTRUSTED] = {NP_TLS_ALERT_UNKNOWN_CA,
                               "the certificate is not from a trusted authority"},
    [NP_TLS_CERT_CHAIN] = {NP_TLS_ALERT_BAD_CERTIFICATE, "the certificate chain does not fit"},
    [NP_TLS_CERT_EXPIRED] = {NP_TLS_ALERT_CERTIFICATE_EXPIRED, "the certificate has expired"},
    [NP_TLS_CERT_NOT_YET_VALID] = {NP_TLS_ALERT_CERTIFICATE_EXPIRED,
                                   "the certificate is not valid yet"},
    [NP_TLS_CERT_NAME] = {NP_TLS_ALERT_BAD_CERTIFICATE, "the certificate is for another name"},
    [NP_TLS_CERT_USAGE] = {NP_TLS_ALERT_BAD_CERTIFICATE, "the certificate is not for servers"},
    [NP_TLS_CERT_PIN] = {NP_TLS_ALERT_BAD_CERTIFICATE, "the certificate does not match the pin"},
    [NP_TLS_CERT_NO_CLOCK] = {NP_TLS_ALERT_CERTIFICATE_UNKNOWN,
                              "the time is not known, dates cannot be checked"},
    [NP_TLS_PEER_ALERT] = {NP_TLS_ALERT_CLOSE_NOTIFY, "the peer sent an alert"},
    [NP_TLS_CLOSED] = {NP_TLS_ALERT_USER_CANCELED, "given up before the handshake was through"},
    [NP_TLS_INTERNAL] = {NP_TLS_ALERT_INTERNAL_ERROR, "no entropy, or our key could not sign"},
};

static const struct entry alerts[] = {
    {NP_TLS_ALERT_CLOSE_NOTIFY, "close_notify"},
    {NP_TLS_ALERT_UNEXPECTED_MESSAGE, "unexpected_message"},
    {NP_TLS_ALERT_BAD_RECORD_MAC, "bad_record_mac"},
    {NP_TLS_ALERT_RECORD_OVERFLOW, "record_overflow"},
    {NP_TLS_ALERT_HANDSHAKE_FAILURE, "handshake_failure"},
    {NP_TLS_ALERT_BAD_CERTIFICATE, "bad_certificate"},
    {NP_TLS_ALERT_UNSUPPORTED_CERTIFICATE, "unsupported_certificate"},
    {44, "certificate_revoked"},
    {NP_TLS_ALERT_CERTIFICATE_EXPIRED, "certificate_expired"},
    {NP_TLS_ALERT_CERTIFICATE_UNKNOWN, "certificate_unknown"},
    {NP_TLS_ALERT_ILLEGAL_PARAMETER, "illegal_parameter"},
    {NP_TLS_ALERT_UNKNOWN_CA, "unknown_ca"},
    {49, "access_denied"},
    {NP_TLS_ALERT_DECODE_ERROR, "decode_error"},
    {NP_TLS_ALERT_DECRYPT_ERROR, "decrypt_error"},
    {NP_TLS_ALERT_PROTOCOL_VERSION, "protocol_version"},
    {71, "insufficient_security"},
    {NP_TLS_ALERT_INTERNAL_ERROR, "internal_error"},
    {86, "inappropriate_fallback"},
    {NP_TLS_ALERT_USER_CANCELED, "user_canceled"},
    {NP_TLS_ALERT_MISSING_EXTENSION, "missing_extension"},
    {NP_TLS_ALERT_UNSUPPORTED_EXTENSION, "unsupported_extension"},
    {112, "unrecognized_name"},
    {113, "bad_certificate_status_response"},
    {115, "unknown_psk_identity"},
    {NP_TLS_ALERT_CERTIFICATE_REQUIRED, "certificate_required"},
    {120, "no_application_protocol"},
};

const char *np_tls_reason_text(enum np_tls_reason reason)
{
    if ((uint32_t)reason >= NP_TLS_REASONS || entries[reason].text == (const char *)0) {
        return "unknown reason";
    }
    return entries[reason].text;
}

uint8_t np_tls_reason_alert(enum np_tls_reason reason)
{
    if ((uint32_t)reason >= NP_TLS_REASONS) {
        return NP_TLS_ALERT_INTERNAL_ERROR;
    }
    return entries[reason].alert;
}

const char *np_tls_alert_text(uint8_t alert)
{
    for (uint32_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++) {
        if (alerts[i].alert == alert) {
            return alerts[i].text;
        }
    }
    return "unknown alert";
}
