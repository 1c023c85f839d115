/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/tls_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/tls/pem.h"
#include "tests/unit/np_test.h"

#define FOLDER "build/tls-certs"
#define SLOTS 8

const char *tls_file(const char *name, uint32_t *len)
{
    static char slots[SLOTS][TLS_FILE_CAP + 1];
    static uint32_t next;
    static bool is_made;
    char path[200], *slot = slots[next++ % SLOTS];
    size_t got = 0;
    FILE *file;

    if (!is_made) {
        is_made = system("tests/tls/certs.sh " FOLDER) == 0;
        NP_CHECK(is_made);
    }
    snprintf(path, sizeof(path), "%s/%s", FOLDER, name);
    file = fopen(path, "rb");
    if (NP_CHECK(file != NULL)) {
        got = fread(slot, 1, TLS_FILE_CAP, file);
        fclose(file);
    }
    NP_CHECK(got > 0 && got < TLS_FILE_CAP);
    slot[got] = '\0';
    *len = (uint32_t)got;
    return slot;
}

const uint8_t *tls_der(const char *name, uint32_t *len)
{
    static uint8_t slots[SLOTS][TLS_FILE_CAP];
    static uint32_t next;
    uint8_t *slot = slots[next++ % SLOTS];
    uint32_t text_len, used;
    const char *text = tls_file(name, &text_len);
    struct np_pem pem;

    np_pem_init(&pem, slot, TLS_FILE_CAP, 0);
    NP_CHECK_INT(np_pem_feed(&pem, text, text_len, &used), NP_OK);
    *len = pem.len;
    return slot;
}

enum np_err tls_random_fill(void *ctx, uint8_t *buf, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        buf[i] = (uint8_t)np_test_random(ctx);
    }
    return NP_OK;
}

enum np_err tls_random_fail(void *ctx, uint8_t *buf, uint32_t len)
{
    (void)ctx;
    (void)buf;
    (void)len;
    return NP_ERR_IO;
}
