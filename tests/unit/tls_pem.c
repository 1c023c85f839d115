/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/tls/pem.h"

#include <string.h>

#include "tests/unit/np_test.h"

struct outcome {
    enum np_err err; /* of the last feed or of the end */
    uint32_t blocks, len;
    char label[NP_PEM_LABEL_CAP];
    uint8_t bytes[512];
};

/* Decodes `text` in pieces; the bytes of all blocks follow each other in out->bytes. */
static void decode(struct outcome *out, const char *text, uint32_t len, uint32_t piece,
                   uint32_t cap)
{
    uint8_t mem[512];
    struct np_pem pem;
    bool is_last = false;

    memset(out, 0, sizeof(*out));
    np_pem_init(&pem, mem, cap, 0);
    while (true) {
        uint32_t part = len < piece ? len : piece, used = 0;
        enum np_err err = np_pem_feed(&pem, text, part, &used);

        NP_CHECK(used <= part);
        text += used;
        len -= used;
        if (err == NP_OK || err == NP_ERR_TOO_LONG) {
            NP_CHECK(out->len + pem.len <= sizeof(out->bytes));
            memcpy(out->bytes + out->len, pem.out, pem.len);
            out->len += pem.len;
            out->blocks += err == NP_OK;
            if (err == NP_ERR_TOO_LONG) {
                NP_CHECK(pem.len + 3 > cap);
            }
            pem.len = 0;
            memcpy(out->label, pem.label, sizeof(out->label));
        } else if (err != NP_ERR_AGAIN) {
            out->err = err;
            NP_CHECK_INT(np_pem_feed(&pem, "A", 1, &used), err);
            NP_CHECK_INT(np_pem_end(&pem), err);
            return;
        } else if (len == 0 && !is_last) {
            is_last = true;
            text = "\n";
            len = 1;
        } else if (len == 0) {
            out->err = np_pem_end(&pem);
            return;
        }
    }
}

static void check(const char *text, enum np_err err, uint32_t blocks, const char *bytes,
                  uint32_t len)
{
    struct outcome whole, pieces;

    np_test_context("%s", text);
    decode(&whole, text, (uint32_t)strlen(text), UINT32_MAX, 512);
    NP_CHECK_INT(whole.err, err);
    NP_CHECK_INT(whole.blocks, blocks);
    NP_CHECK_INT(whole.len, len);
    NP_CHECK_MEM(whole.bytes, bytes, len);
    for (uint32_t piece = 1; piece < 9; piece++) {
        for (uint32_t cap = 3; cap < 12; cap++) {
            decode(&pieces, text, (uint32_t)strlen(text), piece, cap);
            NP_CHECK_INT(pieces.err, err);
            NP_CHECK_INT(pieces.blocks, blocks);
            if (err == NP_OK) {
                NP_CHECK_INT(pieces.len, len);
                NP_CHECK_MEM(pieces.bytes, bytes, len);
            }
        }
    }
    np_test_context("%s", "");
}

#define BLOCK(body) "-----BEGIN X-----\n" body "-----END X-----\n"

NP_TEST(tls_pem, blocks)
{
    check("", NP_OK, 0, "", 0);
    check("no block here\nat all", NP_OK, 0, "", 0);
    check(BLOCK(""), NP_OK, 1, "", 0);
    check(BLOCK("Zm9vYmFy\n"), NP_OK, 1, "foobar", 6);
    check(BLOCK("Zm9v\nYmE=\n"), NP_OK, 1, "fooba", 5);
    check(BLOCK("Zm9vYg==\n"), NP_OK, 1, "foob", 4);
    check(BLOCK("  Zm9v \r\n\t YmFy\r\n\n"), NP_OK, 1, "foobar", 6);
    check(BLOCK("Z\nm\n9\nv\n"), NP_OK, 1, "foo", 3);
    check("-----BEGIN X-----\r\nZm9v\r\n-----END X-----", NP_OK, 1, "foo", 3);
    check("text\n-----BEGIN X----- \nZm9v\n-----END X-----\t\nmore\n" BLOCK("YmFy\n"), NP_OK, 2,
          "foobar", 6);
    check(BLOCK("+/+/\n"), NP_OK, 1, "\xfb\xff\xbf", 3);
    check(" -----BEGIN X-----\n?\n", NP_OK, 0, "", 0);
    check("-----BEGIN X----\n?\n", NP_OK, 0, "", 0);
}

NP_TEST(tls_pem, faults)
{
    check(BLOCK("Zm9\n"), NP_ERR_PROTOCOL, 0, "", 0);
    check(BLOCK("Zm9?\n"), NP_ERR_PROTOCOL, 0, "", 0);
    check(BLOCK("=m9v\n"), NP_ERR_PROTOCOL, 0, "", 0);
    check(BLOCK("Z===\n"), NP_ERR_PROTOCOL, 0, "", 0);
    check(BLOCK("Zg=v\n"), NP_ERR_PROTOCOL, 0, "", 0);
    check(BLOCK("Zg==Zm9v\n"), NP_ERR_PROTOCOL, 0, "", 0);
    check(BLOCK("Zh==\n"), NP_ERR_PROTOCOL, 0, "", 0); /* bits that nobody reads */
    check(BLOCK("Zm9=\n"), NP_ERR_PROTOCOL, 0, "", 0); /* likewise */
    check("-----BEGIN X-----\nZm9v\n-----END Y-----\n", NP_ERR_PROTOCOL, 0, "", 0);
    check("-----BEGIN X-----\nZm9v\n-----BEGIN X-----\n", NP_ERR_PROTOCOL, 0, "", 0);
    check("-----BEGIN X-----\nZm9v\n-----END X---\n", NP_ERR_PROTOCOL, 0, "", 0);
    check(BLOCK("Proc-Type: 4,ENCRYPTED\nDEK-Info: x\n\nZm9v\n"), NP_ERR_UNSUPPORTED, 0, "", 0);
    check("-----BEGIN X-----\nZm9v\n", NP_ERR_EOF, 0, "foo", 0);
    check("-----BEGIN X-----", NP_ERR_EOF, 0, "", 0);
    check("-----BEGIN X-----\nZm9v\n-----END", NP_ERR_PROTOCOL, 0, "foo", 0);
}

/* The table of digits, both ways. */
NP_TEST(tls_pem, digits)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (uint32_t c = 0; c < 256; c++) {
        char text[] = "-----BEGIN X-----\nAAAA\n-----END X-----\n";
        const char *found = c != 0 ? memchr(digits, (int)c, 64) : NULL;
        struct outcome out;

        text[21] = (char)c;
        decode(&out, text, sizeof(text) - 1, UINT32_MAX, 16);
        if (found != NULL) {
            NP_CHECK_INT(out.blocks, 1);
            NP_CHECK_INT(out.bytes[2], found - digits);
        } else {
            NP_CHECK_INT(out.blocks, c == '=' ? 1 : 0);
        }
    }
}

NP_TEST(tls_pem, labels_and_places)
{
    const char *text = "one\ntwo\n-----BEGIN RSA PRIVATE KEY-----\n-----END RSA PRIVATE KEY-----\n";
    char longest[200];
    uint8_t mem[8];
    struct np_pem pem;
    uint32_t used;

    np_pem_init(&pem, mem, sizeof(mem), 1000);
    NP_CHECK_INT(np_pem_feed(&pem, text, (uint32_t)strlen(text), &used), NP_OK);
    NP_CHECK_INT(used, strlen(text));
    NP_CHECK_STR(pem.label, "RSA PRIVATE KEY");
    NP_CHECK(np_pem_is(&pem, "RSA PRIVATE KEY") && !np_pem_is(&pem, "RSA PRIVATE"));
    NP_CHECK_INT(pem.begin_at, 1008);
    NP_CHECK_INT(pem.line_no, 5);
    for (uint32_t len = 40; len < 70; len++) { /* a label that does not fit is no block */
        memset(longest, 'L', sizeof(longest));
        memcpy(longest, "-----BEGIN ", 11);
        memcpy(longest + 11 + len, "-----\n", 7);
        np_pem_init(&pem, mem, sizeof(mem), 0);
        NP_CHECK_INT(np_pem_feed(&pem, longest, (uint32_t)strlen(longest), &used), NP_ERR_AGAIN);
        NP_CHECK_INT(np_pem_end(&pem), len < NP_PEM_LABEL_CAP ? NP_ERR_EOF : NP_OK);
    }
}
