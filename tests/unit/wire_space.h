/* SPDX-License-Identifier: BSD-3-Clause */
/* wire_space: whether any URL equivalent to a message has a XOR without 0x0a, found apart from the
 * encoder and over a wider alphabet. */
#ifndef NP_TESTS_UNIT_WIRE_SPACE_H
#define NP_TESTS_UNIT_WIRE_SPACE_H

#include "tests/unit/wire_cases.h"

/* The space: any scheme or none, any user part or none, for a launch any RFC 4291 spelling of the
 * address (and of its mapped form) and any zeros before the port, any character of path and
 * fragment escaped or not, any query (beside x=u, if asked for, as a parameter of its own). No
 * limit of length. */
bool wire_exists(struct np_key key, const struct wire_case *wire_case);
/* The same for a launch whose visitor is written as a name (dialect.h). */
bool wire_exists_as_name(struct np_key key, const struct wire_case *wire_case);

#endif
