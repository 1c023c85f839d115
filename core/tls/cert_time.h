/* SPDX-License-Identifier: BSD-3-Clause */
/* cert_time: calendar dates of certificates (UTC, proleptic Gregorian). */
#ifndef NP_CORE_TLS_CERT_TIME_H
#define NP_CORE_TLS_CERT_TIME_H

#include <stdbool.h>
#include <stdint.h>

#define NP_CERT_TIME_MAX_S 253402300799 /* 9999-12-31 23:59:59 */

struct np_cert_civil {
    uint32_t year, month, day, hour, minute, second; /* month and day from 1 */
};

/* Date of `time_s` (0 to NP_CERT_TIME_MAX_S; others are brought into that range). */
struct np_cert_civil np_cert_civil_of(int64_t time_s);
/* Reads a UTCTime (tag 0x17, YYMMDDHHMMSSZ, years 1950 to 2049) or GeneralizedTime (tag 0x18,
 * YYYYMMDDHHMMSSZ) in the form of RFC 5280 section 4.1.2.5. Sets *time_s, negative before 1970. */
bool np_cert_time_parse(uint8_t tag, const uint8_t *text, uint32_t len, int64_t *time_s);

#endif
