/* SPDX-License-Identifier: BSD-3-Clause */
/* pem: finds the blocks of a PEM text (RFC 7468) and decodes their base64, in pieces of any size.
 *
 *   feed -> NP_OK          a block is whole (label, out, len, begin_at); feed on for the next
 *        -> NP_ERR_AGAIN   everything was read
 *        -> NP_ERR_TOO_LONG  `out` is full: take out[0 .. len), set len = 0 and feed the rest (a
 *                          streaming reader), or give up (one that wants the block whole)
 *        -> NP_ERR_PROTOCOL, NP_ERR_UNSUPPORTED (encrypted), final
 *
 * Text outside of blocks is skipped. Inside, only base64 of whole quads with right padding, line
 * ends, spaces and tabs are accepted; header lines (Proc-Type of encrypted keys) are refused. Bytes
 * decoded go to `out` only. Never allocates, never calls back.
 */
#ifndef NP_CORE_TLS_PEM_H
#define NP_CORE_TLS_PEM_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/err.h"

#define NP_PEM_LABEL_CAP 48u /* longest label kept, with its NUL */
#define NP_PEM_LINE_CAP 72u  /* longest boundary line */

struct np_pem {
    uint8_t *out;                 /* caller's memory for decoded bytes */
    uint32_t cap, len;            /* bytes */
    char label[NP_PEM_LABEL_CAP]; /* of the current or last block, e.g. "CERTIFICATE" */
    uint32_t begin_at;            /* offset in the whole text of the block's BEGIN line */
    uint32_t line_no;             /* lines seen so far, for messages; the first is 1 */
    /* private */
    uint32_t at_, line_at_;
    uint32_t bits_;
    uint8_t state_, quad_, pad_, line_len_;
    char line_[NP_PEM_LINE_CAP];
};

/* Starts before the first byte of a text; decoded bytes go to `out` of `cap` bytes (>= 3). `at` is
 * the offset of the first byte that will be fed, for begin_at. */
void np_pem_init(struct np_pem *pem, uint8_t *out, uint32_t cap, uint32_t at);
/* Reads up to `len` bytes; *used tells how many were taken. Results as above; the first error is
 * returned again by each later call. When a block begins, len is set to 0. */
enum np_err np_pem_feed(struct np_pem *pem, const char *text, uint32_t len, uint32_t *used);
/* After the last byte and one "\n" more, since a text's last line may lack its end: NP_OK, or
 * NP_ERR_EOF inside of a block (the file is cut off). */
enum np_err np_pem_end(struct np_pem *pem);
/* True if the label of the current or last block is `label`. */
bool np_pem_is(const struct np_pem *pem, const char *label);

#endif
