/* SPDX-License-Identifier: BSD-3-Clause */
/* wire_cases: control messages for the dialect's tests, and both ends of a Go peer as bytes: a
 * sender that XORs and ends with a newline, a receiver that cuts at the first newline and parses a
 * URL. */
#ifndef NP_TESTS_UNIT_WIRE_CASES_H
#define NP_TESTS_UNIT_WIRE_CASES_H

#include "core/wire/dialect.h"

/* One message in both forms: as a value for our encoder, as URL parts for the receiver. */
struct wire_case {
    bool is_answer;
    struct np_answer answer;
    struct np_signal signal;
    const char *host; /* "" = no matter; of a launch: the address in plain form */
    const char *path; /* "" = no matter */
    char fragment;
};
/* Every kind of message, several times with other contents. Returns false beyond the last. */
bool wire_case_at(struct wire_case *wire_case, uint32_t index);
uint32_t wire_case_encode(uint8_t *out, struct np_key key, const struct wire_case *wire_case);

/* A line as a Go peer sends it; returns its length. */
uint32_t wire_forge(uint8_t *out, struct np_key key, const char *text);

/* What a Go peer makes of a line: url.Parse of all before the first newline. */
struct wire_url {
    char host[NP_DIALECT_LINE_CAP + 1];
    char path[NP_DIALECT_LINE_CAP + 1];
    char fragment[NP_DIALECT_LINE_CAP + 1];
};
/* Returns false if there is no newline, it is not the last byte, or url.Parse would fail. */
bool wire_receive(struct wire_url *url, struct np_key key, const uint8_t *wire, uint32_t len);
/* True if `url` means the same to a Go peer as `wire_case`; its host may be the visitor's name. */
bool wire_is_same(const struct wire_url *url, const struct wire_case *wire_case);

/* A visitor's name (dialect.h) in lower case. */
#define WIRE_NAME_CAP 37u
void wire_name(char out[WIRE_NAME_CAP], const struct np_addr *peer);
/* True if the host of `url` is the name of the visitor of `wire_case`, in any case of letters. */
bool wire_is_name(const struct wire_url *url, const struct wire_case *wire_case);

#endif
