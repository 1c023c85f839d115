/* SPDX-License-Identifier: BSD-3-Clause */
/* tls_files: keys and certificates that tests/tls/certs.sh makes, and repeatable "random" bytes. */
#ifndef NP_TESTS_UNIT_TLS_FILES_H
#define NP_TESTS_UNIT_TLS_FILES_H

#include <stdint.h>

#include "core/tls/cred.h"

#define TLS_FILE_CAP 32768u

/* Text of a file, NUL at the end; valid until the eighth call after. Fails the test if it is not
 * there. */
const char *tls_file(const char *name, uint32_t *len);
/* DER of the first certificate of a file, valid as long as tls_file's. */
const uint8_t *tls_der(const char *name, uint32_t *len);
/* A splitmix64 stream; ctx points to its state. */
enum np_err tls_random_fill(void *ctx, uint8_t *buf, uint32_t len);
/* Always fails. */
enum np_err tls_random_fail(void *ctx, uint8_t *buf, uint32_t len);

#endif
