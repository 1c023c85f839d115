/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/pem.h"

#include <string.h>

#include "core/base/ct.h"

/* What the next byte is expected to be. */
enum {
    EXPECT_TEXT,     /* in a line outside of blocks */
    EXPECT_BODY,     /* base64, or the dash of the END line when at a line's start */
    EXPECT_BOUNDARY, /* in the END line */
    FAILED_SYNTAX,
    FAILED_HEADER
};

static const char begin_text[] = "-----BEGIN ";
static const char end_text[] = "-----END ";
static const char dashes[] = "-----";

void np_pem_init(struct np_pem *pem, uint8_t *out, uint32_t cap, uint32_t at)
{
    memset(pem, 0, sizeof(*pem));
    pem->out = out;
    pem->cap = cap;
    pem->at_ = pem->line_at_ = at;
    pem->line_no = 1;
    pem->state_ = EXPECT_TEXT;
}

bool np_pem_is(const struct np_pem *pem, const char *label)
{
    size_t len = strlen(label);

    return len < sizeof(pem->label) && memcmp(pem->label, label, len + 1) == 0;
}

/* Value of a base64 digit or 64, by arithmetic only: keys pass through here, and a table's cache
 * lines would depend on them. */
static uint32_t base64_value(uint8_t c)
{
    uint32_t value = 64, upper = c - (uint32_t)'A', lower = c - (uint32_t)'a';
    uint32_t digit = c - (uint32_t)'0', plus = c ^ (uint32_t)'+', slash = c ^ (uint32_t)'/';

    /* (x - n) >> 31 is 1 for x < n; values below the range wrap, ~x >> 31 takes them out */
    value += ((upper - 26u) >> 31 & ~upper >> 31) * (upper - 64u);
    value += ((lower - 26u) >> 31 & ~lower >> 31) * (lower + 26u - 64u);
    value += ((digit - 10u) >> 31 & ~digit >> 31) * (digit + 52u - 64u);
    value -= 2u * ((plus - 1u) >> 31);
    value -= (slash - 1u) >> 31;
    return value;
}

/* Copies what stands between `prefix` and the closing dashes. */
static bool parse_boundary(const struct np_pem *pem, const char *prefix, const char **name,
                           uint32_t *name_len)
{
    uint32_t len = pem->line_len_, head = (uint32_t)strlen(prefix);

    while (len > 0 && (pem->line_[len - 1] == ' ' || pem->line_[len - 1] == '\t' ||
                       pem->line_[len - 1] == '\r')) {
        len--;
    }
    if (len < head + 5u || memcmp(pem->line_, prefix, head) != 0 ||
        memcmp(pem->line_ + len - 5, dashes, 5) != 0) {
        return false;
    }
    *name = pem->line_ + head;
    *name_len = len - head - 5u;
    return *name_len < NP_PEM_LABEL_CAP;
}

/* A line outside of blocks has ended. */
static void end_text_line(struct np_pem *pem)
{
    const char *name;
    uint32_t name_len;

    if (parse_boundary(pem, begin_text, &name, &name_len)) {
        memcpy(pem->label, name, name_len);
        pem->label[name_len] = '\0';
        pem->begin_at = pem->line_at_;
        pem->len = 0;
        pem->bits_ = 0;
        pem->quad_ = pem->pad_ = 0;
        pem->state_ = EXPECT_BODY;
    }
}

/* The END line is complete: NP_OK if it closes the block. */
static enum np_err end_block(struct np_pem *pem)
{
    const char *name;
    uint32_t name_len;

    if (!parse_boundary(pem, end_text, &name, &name_len) ||
        name_len != (uint32_t)strlen(pem->label) || memcmp(pem->label, name, name_len) != 0 ||
        pem->quad_ != 0) {
        pem->state_ = FAILED_SYNTAX;
        return NP_ERR_PROTOCOL;
    }
    np_ct_wipe(&pem->bits_, sizeof(pem->bits_));
    pem->state_ = EXPECT_TEXT;
    return NP_OK;
}

static enum np_err fail(struct np_pem *pem, bool is_header)
{
    np_ct_wipe(&pem->bits_, sizeof(pem->bits_));
    pem->state_ = is_header ? FAILED_HEADER : FAILED_SYNTAX;
    return is_header ? NP_ERR_UNSUPPORTED : NP_ERR_PROTOCOL;
}

/* The fourth digit is in: 1 to 3 bytes. Bits that padding drops must be 0 (one text, one value). */
static enum np_err end_quad(struct np_pem *pem)
{
    uint32_t count = 3u - pem->pad_;

    if ((pem->pad_ == 1 && (pem->bits_ & 0xffu) != 0) ||
        (pem->pad_ == 2 && (pem->bits_ & 0xffffu) != 0)) {
        return fail(pem, false);
    }
    for (uint32_t i = 0; i < count; i++) {
        pem->out[pem->len++] = (uint8_t)(pem->bits_ >> (16u - 8u * i));
    }
    pem->bits_ = 0;
    pem->quad_ = 0;
    return NP_ERR_AGAIN;
}

/* One byte of the body that is no line end, space or boundary. */
static enum np_err feed_digit(struct np_pem *pem, uint8_t c)
{
    if (c == '=') {
        if (pem->quad_ < 2) {
            return fail(pem, false);
        }
        pem->pad_++;
        pem->bits_ <<= 6;
    } else {
        uint32_t value = base64_value(c);

        if (value > 63 || pem->pad_ > 0) {
            return fail(pem, c == ':' || c == '-');
        }
        pem->bits_ = pem->bits_ << 6 | value;
    }
    pem->quad_++;
    return pem->quad_ == 4 ? end_quad(pem) : NP_ERR_AGAIN;
}

static void keep_line_byte(struct np_pem *pem, uint8_t c)
{
    if (pem->line_len_ < NP_PEM_LINE_CAP) {
        pem->line_[pem->line_len_++] = (char)c;
    } else {
        pem->line_[0] = '\0'; /* too long for a boundary: it is none */
    }
}

static enum np_err feed_byte(struct np_pem *pem, uint8_t c)
{
    bool is_start = pem->line_len_ == 0;

    switch (pem->state_) {
    case EXPECT_BODY:
        if (c == '-' && is_start) {
            pem->state_ = EXPECT_BOUNDARY;
            keep_line_byte(pem, c);
            return NP_ERR_AGAIN;
        }
        pem->line_len_ = 1; /* only tells that the line has begun; digits are not kept */
        if (c == ' ' || c == '\t' || c == '\r') {
            return NP_ERR_AGAIN;
        }
        return feed_digit(pem, c);
    case EXPECT_TEXT:
    case EXPECT_BOUNDARY:
        keep_line_byte(pem, c);
        return NP_ERR_AGAIN;
    default:
        return pem->state_ == FAILED_HEADER ? NP_ERR_UNSUPPORTED : NP_ERR_PROTOCOL;
    }
}

static enum np_err feed_line_end(struct np_pem *pem)
{
    enum np_err err = NP_ERR_AGAIN;

    if (pem->state_ == EXPECT_TEXT) {
        end_text_line(pem);
    } else if (pem->state_ == EXPECT_BOUNDARY) {
        err = end_block(pem);
    } else if (pem->state_ != EXPECT_BODY) {
        return feed_byte(pem, '\n');
    }
    pem->line_len_ = 0;
    pem->line_at_ = pem->at_ + 1;
    pem->line_no++;
    return err;
}

enum np_err np_pem_feed(struct np_pem *pem, const char *text, uint32_t len, uint32_t *used)
{
    *used = 0;
    while (*used < len) {
        uint8_t c = (uint8_t)text[*used];
        enum np_err err;

        if (pem->state_ == EXPECT_BODY && pem->quad_ == 3 && pem->cap - pem->len < 3) {
            return NP_ERR_TOO_LONG;
        }
        err = c == '\n' ? feed_line_end(pem) : feed_byte(pem, c);
        if (err != NP_OK && err != NP_ERR_AGAIN) {
            return err;
        }
        pem->at_++;
        (*used)++;
        if (err == NP_OK) {
            return NP_OK;
        }
    }
    return NP_ERR_AGAIN;
}

enum np_err np_pem_end(struct np_pem *pem)
{
    switch (pem->state_) {
    case EXPECT_TEXT:
        return NP_OK;
    case EXPECT_BODY:
    case EXPECT_BOUNDARY:
        return NP_ERR_EOF;
    default:
        return pem->state_ == FAILED_HEADER ? NP_ERR_UNSUPPORTED : NP_ERR_PROTOCOL;
    }
}
