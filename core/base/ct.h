/* SPDX-License-Identifier: BSD-3-Clause */
/* ct: comparing and wiping secrets. */
#ifndef NP_CORE_BASE_CT_H
#define NP_CORE_BASE_CT_H

#include <stdbool.h>
#include <stdint.h>

/* True if `len` bytes are equal; the time depends on len only. */
bool np_ct_is_equal(const void *a, const void *b, uint32_t len);
/* Overwrites `len` bytes with zeros; never optimised away. */
void np_ct_wipe(void *mem, uint32_t len);

#endif
