/* SPDX-License-Identifier: BSD-3-Clause */
/* A table tells which element an element is, by its place; constructed elements on the way to
 * something that is wanted are opened, all others are passed over. */
#include "core/tls/cert_scan.h"

#include <string.h>

#include "core/base/addr.h"
#include "core/tls/cert_der.h"
#include "core/tls/cert_time.h"

/* What an element is. */
enum role {
    SKIP,
    CERT,
    TBS,
    VERSION_BOX,
    VERSION,
    ALGORITHM,
    ALGORITHM_OID,
    ISSUER,
    VALIDITY,
    NOT_BEFORE,
    NOT_AFTER,
    SUBJECT,
    RDN,
    ATTRIBUTE,
    ATTRIBUTE_OID,
    ATTRIBUTE_TEXT,
    PUBLIC_KEY,
    EXTENSIONS_BOX,
    EXTENSIONS,
    EXTENSION,
    EXTENSION_OID,
    EXTENSION_VALUE,
    NAMES,
    NAME_DNS,
    NAME_IP,
    USAGES,
    USAGE_OID,
    CONSTRAINTS,
    CONSTRAINT_CA,
    PATH_LEN,
    KEY_USAGE,
    BAD
};

/* Which extension value is being read. */
enum { EXT_NONE, EXT_NAMES, EXT_USAGE, EXT_CONSTRAINTS, EXT_KEY_USAGE };
/* Which attribute of the subject is being read. */
enum { OTHER, ORGANIZATION, COMMON_NAME };
/* Which result a hash is for. */
enum { HASH_NONE, HASH_ISSUER, HASH_SUBJECT, HASH_KEY };

/* Place in TBSCertificate, kept in step_. */
enum { AT_VERSION, AT_SERIAL, AT_ALGORITHM, AT_ISSUER, AT_VALIDITY, AT_SUBJECT, AT_KEY, AT_REST };

void np_cert_scan_init(struct np_cert_scan *scan, uint32_t len)
{
    memset(scan, 0, sizeof(*scan));
    scan->len_ = len;
    scan->is_v1 = true;
    scan->path_len = 255;
}

void np_cert_scan_want(struct np_cert_scan *scan, const char *name)
{
    struct np_addr addr;

    scan->want_name_ = NULL;
    scan->want_ip_len_ = 0;
    if (name == NULL || name[0] == '\0') {
        return;
    }
    if (np_addr_parse_ip(&addr, name, (uint32_t)strlen(name), 0)) {
        scan->want_ip_len_ = addr.family == NP_FAMILY_IP4 ? 4 : 16;
        memcpy(scan->want_ip_, addr.ip, scan->want_ip_len_);
    } else {
        scan->want_name_ = name;
    }
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

bool np_cert_name_is_for(const uint8_t *pattern, uint32_t len, const char *name)
{
    uint32_t name_len = (uint32_t)strlen(name), dots = 0;

    if (name_len > 0 && name[name_len - 1] == '.') {
        name_len--;
    }
    if (len > 2 && pattern[0] == '*' && pattern[1] == '.') {
        uint32_t label = 0;

        while (label < name_len && name[label] != '.') {
            label++;
        }
        if (label == 0 || name[0] == '*') {
            return false;
        }
        pattern++;
        len--;
        name_len -= label;
        name += label;
        for (uint32_t i = 0; i < len; i++) {
            dots += pattern[i] == '.';
        }
        if (dots < 2) {
            return false; /* "*.com" is for nobody */
        }
    }
    if (len == 0 || len != name_len) {
        return false;
    }
    for (uint32_t i = 0; i < len; i++) {
        if (lower(pattern[i]) != lower((uint8_t)name[i]) || pattern[i] == '*') {
            return false;
        }
    }
    return true;
}

/* ---- which element is it --------------------------------------------------------------------- */

/* An element of TBSCertificate with `tag`. */
static enum role tbs_role(struct np_cert_scan *scan, uint8_t tag)
{
    static const uint8_t tags[] = {0,
                                   NP_DER_INTEGER,
                                   NP_DER_SEQUENCE,
                                   NP_DER_SEQUENCE,
                                   NP_DER_SEQUENCE,
                                   NP_DER_SEQUENCE,
                                   NP_DER_SEQUENCE};
    static const uint8_t roles[] = {0, SKIP, SKIP, ISSUER, VALIDITY, SUBJECT, PUBLIC_KEY};

    if (scan->step_ == AT_VERSION) {
        scan->step_ = AT_SERIAL;
        if (tag == NP_DER_CONTEXT(0u)) {
            return VERSION_BOX;
        }
    }
    if (scan->step_ < AT_REST) {
        uint8_t step = scan->step_++;

        return tag == tags[step] ? (enum role)roles[step] : BAD;
    }
    if (tag == NP_DER_CONTEXT(3u)) {
        return EXTENSIONS_BOX;
    }
    return tag == 0x81 || tag == 0x82 || tag == 0xa1 || tag == 0xa2 ? SKIP : BAD;
}

/* An element of an Extension: OID, then perhaps BOOLEAN, then OCTET STRING. */
static enum role extension_role(uint8_t index, uint8_t tag)
{
    if (index == 0) {
        return tag == NP_DER_OID ? EXTENSION_OID : BAD;
    }
    if (tag == NP_DER_OCTETS) {
        return EXTENSION_VALUE;
    }
    return tag == NP_DER_BOOLEAN && index == 1 ? SKIP : BAD;
}

static enum role value_role(const struct np_cert_scan *scan, uint8_t index, uint8_t tag)
{
    static const uint8_t roles[] = {SKIP, NAMES, USAGES, CONSTRAINTS, KEY_USAGE};
    uint8_t wants = scan->extension_ == EXT_KEY_USAGE ? NP_DER_BITS : NP_DER_SEQUENCE;

    return index == 0 && tag == wants ? (enum role)roles[scan->extension_] : BAD;
}

static enum role only(bool holds, enum role role)
{
    return holds ? role : BAD;
}

/* What element number `index` of an open `parent` is. */
static enum role child_role(struct np_cert_scan *scan, enum role parent, uint8_t index, uint8_t tag)
{
    bool is_sequence = tag == NP_DER_SEQUENCE, is_oid = tag == NP_DER_OID;

    switch (parent) {
    case CERT:
        if (index == 2) {
            return only(tag == NP_DER_BITS, SKIP);
        }
        return only(is_sequence && index < 2, index == 0 ? TBS : ALGORITHM);
    case TBS:
        return tbs_role(scan, tag);
    case VERSION_BOX:
        return only(tag == NP_DER_INTEGER && index == 0, VERSION);
    case ALGORITHM:
        return index > 0 ? SKIP : only(is_oid, ALGORITHM_OID);
    case VALIDITY:
        return only(index < 2, index == 0 ? NOT_BEFORE : NOT_AFTER);
    case SUBJECT:
        return only(tag == NP_DER_SET, RDN);
    case RDN:
        return only(is_sequence, ATTRIBUTE);
    case ATTRIBUTE:
        return index == 0 ? only(is_oid, ATTRIBUTE_OID) : only(index == 1, ATTRIBUTE_TEXT);
    case EXTENSIONS_BOX:
        return only(is_sequence && index == 0, EXTENSIONS);
    case EXTENSIONS:
        return only(is_sequence, EXTENSION);
    case EXTENSION:
        return extension_role(index, tag);
    case EXTENSION_VALUE:
        return value_role(scan, index, tag);
    case NAMES:
        return tag == 0x82 ? NAME_DNS : tag == 0x87 ? NAME_IP : SKIP;
    case USAGES:
        return only(is_oid, USAGE_OID);
    case CONSTRAINTS:
        return tag == NP_DER_INTEGER                 ? PATH_LEN
               : index == 0 && tag == NP_DER_BOOLEAN ? CONSTRAINT_CA
                                                     : SKIP;
    default:
        return BAD;
    }
}

/* Elements whose contents are elements that matter. */
static bool is_opened(const struct np_cert_scan *scan, enum role role)
{
    switch (role) {
    case CERT:
    case TBS:
    case VERSION_BOX:
    case ALGORITHM:
    case VALIDITY:
    case SUBJECT:
    case RDN:
    case ATTRIBUTE:
    case EXTENSIONS_BOX:
    case EXTENSIONS:
    case EXTENSION:
    case NAMES:
    case USAGES:
    case CONSTRAINTS:
        return true;
    case EXTENSION_VALUE:
        return scan->extension_ != EXT_NONE;
    default:
        return false;
    }
}

/* ---- what its bytes say ---------------------------------------------------------------------- */

static bool is_kept(const struct np_cert_scan *scan, const void *oid, uint32_t len)
{
    return scan->kept_len_ == len && memcmp(scan->kept_, oid, len) == 0;
}
#define IS_KEPT(scan, oid) is_kept(scan, oid, sizeof(oid) - 1)

static void note_algorithm(struct np_cert_scan *scan)
{
    static const char rsa[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x01"; /* and 2 to 14 */
    static const char ecdsa_sha1[] = "\x2a\x86\x48\xce\x3d\x04\x01";
    static const char ecdsa_sha2[] = "\x2a\x86\x48\xce\x3d\x04\x03"; /* and 1 to 4 */
    uint8_t last = scan->kept_len_ > 0 ? scan->kept_[scan->kept_len_ - 1] : 0;

    scan->signature = NP_CERT_SIG_UNKNOWN;
    if (scan->kept_len_ == sizeof(rsa) && memcmp(scan->kept_, rsa, sizeof(rsa) - 1) == 0) {
        if (last >= 2 && last <= 5) {
            scan->signature = NP_CERT_SIG_WEAK;
        } else if (last >= 11 && last <= 13) {
            scan->signature = NP_CERT_SIG_FINE;
        }
    } else if (IS_KEPT(scan, ecdsa_sha1)) {
        scan->signature = NP_CERT_SIG_WEAK;
    } else if (scan->kept_len_ == sizeof(ecdsa_sha2) &&
               memcmp(scan->kept_, ecdsa_sha2, sizeof(ecdsa_sha2) - 1) == 0 && last >= 2 &&
               last <= 4) {
        scan->signature = NP_CERT_SIG_FINE;
    }
}

static void note_extension(struct np_cert_scan *scan)
{
    if (IS_KEPT(scan, "\x55\x1d\x11")) {
        scan->extension_ = EXT_NAMES;
    } else if (IS_KEPT(scan, "\x55\x1d\x25")) {
        scan->extension_ = EXT_USAGE;
        scan->has_usage = true;
    } else if (IS_KEPT(scan, "\x55\x1d\x13")) {
        scan->extension_ = EXT_CONSTRAINTS;
    } else if (IS_KEPT(scan, "\x55\x1d\x0f")) {
        scan->extension_ = EXT_KEY_USAGE;
    } else {
        scan->has_limits |= IS_KEPT(scan, "\x55\x1d\x1e");
        scan->extension_ = EXT_NONE;
    }
}

/* The subject's text for messages: a common name wins over an organization. */
static void note_text(struct np_cert_scan *scan)
{
    uint32_t len = scan->kept_len_;

    if (scan->attribute_ == OTHER || (scan->attribute_ == ORGANIZATION && scan->text[0] != '\0')) {
        return;
    }
    if (len > sizeof(scan->text) - 1) {
        len = sizeof(scan->text) - 1;
    }
    for (uint32_t i = 0; i < len; i++) {
        uint8_t c = scan->kept_[i];

        scan->text[i] = c >= 0x20 && c < 0x7f ? (char)c : '?';
    }
    scan->text[len] = '\0';
}

static void note_name(struct np_cert_scan *scan, enum role role)
{
    scan->has_name = true;
    if (scan->kept_len_ > sizeof(scan->kept_)) {
        return; /* longer than any name */
    }
    if (role == NAME_IP) {
        scan->is_name_found |=
            scan->want_ip_len_ != 0 && is_kept(scan, scan->want_ip_, scan->want_ip_len_);
    } else if (scan->want_name_ != NULL) {
        scan->is_name_found |= np_cert_name_is_for(scan->kept_, scan->kept_len_, scan->want_name_);
    }
}

static void note_time(struct np_cert_scan *scan, int64_t *time_s)
{
    if (scan->kept_len_ > sizeof(scan->kept_) ||
        !np_cert_time_parse(scan->leaf_tag_, scan->kept_, scan->kept_len_, time_s)) {
        scan->failed = true;
    }
}

/* A primitive element was read. */
static void end_leaf(struct np_cert_scan *scan)
{
    switch (scan->leaf_role_) {
    case VERSION:
        scan->is_v1 = is_kept(scan, "\x00", 1);
        break;
    case ALGORITHM_OID:
        note_algorithm(scan);
        break;
    case NOT_BEFORE:
        note_time(scan, &scan->not_before_s);
        break;
    case NOT_AFTER:
        note_time(scan, &scan->not_after_s);
        break;
    case ATTRIBUTE_OID:
        scan->attribute_ = IS_KEPT(scan, "\x55\x04\x03")   ? COMMON_NAME
                           : IS_KEPT(scan, "\x55\x04\x0a") ? ORGANIZATION
                                                           : OTHER;
        break;
    case ATTRIBUTE_TEXT:
        note_text(scan);
        break;
    case EXTENSION_OID:
        note_extension(scan);
        break;
    case NAME_DNS:
    case NAME_IP:
        note_name(scan, (enum role)scan->leaf_role_);
        break;
    case USAGE_OID:
        scan->is_server |=
            IS_KEPT(scan, "\x2b\x06\x01\x05\x05\x07\x03\x01") || IS_KEPT(scan, "\x55\x1d\x25\x00");
        break;
    case CONSTRAINT_CA:
        scan->is_ca = is_kept(scan, "\xff", 1);
        break;
    case PATH_LEN: /* more than 127 has two bytes; below 0 is none */
        scan->path_len = scan->kept_len_ != 1 ? 254 : scan->kept_[0] < 0x80 ? scan->kept_[0] : 0;
        break;
    case KEY_USAGE: /* how many bits of the last byte do not count, then the bits */
        scan->may_not_sign = scan->kept_len_ < 2 || (scan->kept_[1] & 0x04u) == 0;
        break;
    default:
        break;
    }
    scan->leaf_role_ = SKIP;
}

/* ---- walking --------------------------------------------------------------------------------- */

static void end_hash(struct np_cert_scan *scan)
{
    uint8_t *to = scan->hash_to_ == HASH_ISSUER ? scan->issuer : scan->subject;

    if (scan->hash_to_ == HASH_ISSUER) {
        scan->has_issuer = true;
    } else if (scan->hash_to_ == HASH_KEY) {
        scan->has_key = true;
        to = scan->key;
    }
    br_sha256_out(&scan->hash_, to);
    scan->hash_to_ = HASH_NONE;
}

/* Closes every element that ends here. */
static void close_ended(struct np_cert_scan *scan)
{
    if (scan->hash_to_ != HASH_NONE && scan->at_ == scan->hash_end_) {
        end_hash(scan);
    }
    while (scan->depth_ > 0 && scan->at_ == scan->end_[scan->depth_ - 1]) {
        scan->depth_--;
    }
}

/* Length of the header when it is complete, 0 if more bytes are needed; sets *len. */
static uint32_t parse_head(struct np_cert_scan *scan, uint32_t *len)
{
    struct np_der head = {scan->head_, scan->head_len_};
    uint32_t extra;

    if (head.len < 2) {
        return 0;
    }
    *len = head.at[1];
    if (*len < 0x80) {
        return 2;
    }
    extra = *len & 0x7fu;
    if (extra < 1 || extra > 3) {
        scan->failed = true;
        return 0;
    }
    if (head.len < 2 + extra) {
        return 0;
    }
    *len = 0;
    for (uint32_t i = 0; i < extra; i++) {
        *len = *len << 8 | head.at[2 + i];
    }
    if (*len < 0x80 || (extra > 1 && *len >> (8 * (extra - 1)) == 0)) {
        scan->failed = true; /* not the shortest form */
        return 0;
    }
    return 2 + extra;
}

/* Bytes of the element that is being hashed, and of what is inside of it. */
static void hash_bytes(struct np_cert_scan *scan, const uint8_t *bytes, uint32_t len)
{
    struct np_cert_copy *copy = scan->hash_to_ == HASH_KEY       ? &scan->copy_key
                                : scan->hash_to_ == HASH_SUBJECT ? &scan->copy_subject
                                                                 : NULL;

    if (scan->hash_to_ == HASH_NONE) {
        return;
    }
    br_sha256_update(&scan->hash_, bytes, len);
    if (copy == NULL || copy->mem == NULL) {
        return;
    }
    if (len > copy->cap - copy->len) {
        *copy = (struct np_cert_copy){0};
        return;
    }
    memcpy(copy->mem + copy->len, bytes, len);
    copy->len += len;
}

static void start_hash(struct np_cert_scan *scan, enum role role, uint32_t head_len)
{
    if (role == ISSUER || role == SUBJECT || role == PUBLIC_KEY) {
        scan->hash_to_ = role == ISSUER ? HASH_ISSUER : role == SUBJECT ? HASH_SUBJECT : HASH_KEY;
        br_sha256_init(&scan->hash_);
    }
    hash_bytes(scan, scan->head_, head_len);
}

/* A header is complete: opens the element or starts to read or pass over its bytes. */
static void begin_element(struct np_cert_scan *scan, uint32_t head_len, uint32_t len)
{
    uint8_t tag = scan->head_[0];
    uint32_t limit;
    enum role role;

    if (scan->len_ == 0) {
        scan->len_ = scan->at_ + len;
    }
    limit = scan->depth_ > 0 ? scan->end_[scan->depth_ - 1] : scan->len_;
    if ((tag & 0x1fu) == 0x1fu || scan->at_ > limit || len > limit - scan->at_) {
        scan->failed = true;
        return;
    }
    if (scan->depth_ == 0) {
        role =
            only(tag == NP_DER_SEQUENCE && scan->at_ == head_len && len == limit - scan->at_, CERT);
    } else {
        uint32_t top = scan->depth_ - 1u;

        role = child_role(scan, (enum role)scan->role_[top], scan->index_[top], tag);
        scan->index_[top] = (uint8_t)(scan->index_[top] < 255 ? scan->index_[top] + 1 : 255);
    }
    if (role == BAD || (is_opened(scan, role) && scan->depth_ == NP_CERT_DEPTH)) {
        scan->failed = true;
        return;
    }
    start_hash(scan, role, head_len);
    if (role == ISSUER || role == SUBJECT || role == PUBLIC_KEY) {
        scan->hash_end_ = scan->at_ + len;
    }
    if (is_opened(scan, role)) {
        scan->role_[scan->depth_] = (uint8_t)role;
        scan->index_[scan->depth_] = 0;
        scan->end_[scan->depth_++] = scan->at_ + len;
    } else {
        scan->leaf_role_ = (uint8_t)role;
        scan->leaf_tag_ = tag;
        scan->leaf_left_ = len;
        scan->kept_len_ = 0;
        if (len == 0) {
            end_leaf(scan);
        }
    }
    close_ended(scan);
}

/* Bytes of the element that is being read or passed over. Returns how many were taken. */
static uint32_t feed_leaf(struct np_cert_scan *scan, const uint8_t *der, uint32_t len)
{
    uint32_t part = len < scan->leaf_left_ ? len : scan->leaf_left_;

    if (scan->leaf_role_ != SKIP && scan->leaf_role_ != ISSUER && scan->leaf_role_ != PUBLIC_KEY) {
        uint32_t room = NP_CERT_NAME_CAP - scan->kept_len_;

        if (scan->kept_len_ > NP_CERT_NAME_CAP || part > room) {
            scan->kept_len_ = NP_CERT_NAME_CAP + 1;
        } else {
            memcpy(scan->kept_ + scan->kept_len_, der, part);
            scan->kept_len_ += part;
        }
    }
    hash_bytes(scan, der, part);
    scan->at_ += part;
    scan->leaf_left_ -= part;
    if (scan->leaf_left_ == 0) {
        end_leaf(scan);
        close_ended(scan);
    }
    return part;
}

void np_cert_scan_feed(struct np_cert_scan *scan, const uint8_t *der, uint32_t len)
{
    while (len > 0 && !scan->failed) {
        uint32_t taken = 1, head_len, body_len = 0;

        if (scan->leaf_left_ > 0) {
            taken = feed_leaf(scan, der, len);
        } else if (scan->at_ >= scan->len_ && scan->len_ > 0) {
            scan->failed = true;
        } else {
            scan->head_[scan->head_len_++] = *der;
            scan->at_++;
            head_len = parse_head(scan, &body_len);
            if (head_len > 0) {
                begin_element(scan, head_len, body_len);
                scan->head_len_ = 0;
            }
        }
        der += taken;
        len -= taken;
    }
}

bool np_cert_scan_is_whole(const struct np_cert_scan *scan)
{
    return !scan->failed && scan->at_ > 0 && scan->at_ == scan->len_ && scan->depth_ == 0 &&
           scan->leaf_left_ == 0 && scan->head_len_ == 0 && scan->step_ == AT_REST &&
           scan->has_key && scan->signature != NP_CERT_SIG_NONE;
}
