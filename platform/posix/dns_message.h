/* SPDX-License-Identifier: BSD-3-Clause */
/* dns_message: a question for a name server, and what its answer says (RFC 1035). Functions of
 * bytes; they know no socket. */
#ifndef NP_PLATFORM_POSIX_DNS_MESSAGE_H
#define NP_PLATFORM_POSIX_DNS_MESSAGE_H

#include <stdint.h>

#include "core/base/addr.h"

#define NP_DNS_QUESTION_CAP 271u /* header, the longest name, type and class */
#define NP_DNS_ANSWER_CAP 1500u

enum np_dns_type { NP_DNS_A = 1, NP_DNS_AAAA = 28 };

/* Writes a question for the addresses of `name`, which asks for recursion. Returns its length, or 0
 * if no name server can know such a name (an empty part, one of more than 63 bytes, too long). A
 * dot at the end is allowed. */
uint32_t np_dns_ask(uint8_t out[NP_DNS_QUESTION_CAP], uint16_t id, const char *name,
                    enum np_dns_type type);

enum np_dns_result {
    NP_DNS_FOREIGN, /* no answer to this question: to be ignored */
    NP_DNS_KNOWN,   /* the name exists; it may have no address of this type */
    NP_DNS_NO_NAME, /* the name does not exist */
    NP_DNS_FAILED   /* the server can't tell, or its answer is broken */
};

/* Reads an answer to `question`, as np_dns_ask made it. Writes up to `cap` addresses, port 0, and
 * their number. Aliases are not followed: the server's answer has their addresses in it. Of an
 * answer that was cut what is there is used. */
enum np_dns_result np_dns_read(const uint8_t *answer, uint32_t len, const uint8_t *question,
                               uint32_t question_len, struct np_addr *addrs, uint32_t cap,
                               uint32_t *count);

#endif
