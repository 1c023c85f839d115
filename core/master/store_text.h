/* SPDX-License-Identifier: BSD-3-Clause */
/* store_text: a master's state as text and back; the last line is a checksum of all before it. */
#ifndef NP_CORE_MASTER_STORE_TEXT_H
#define NP_CORE_MASTER_STORE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

struct np_master;

/* Writes key, names and all records that are not from the configuration file to master->text.
 * Returns the length, 0 if it does not fit. */
uint32_t np_store_text_format(struct np_master *master);
/* True if the last line is the right checksum. */
bool np_store_text_is_whole(const char *text, uint32_t len);
/* Fills key, names and records (into slots, not started). Returns how many instances were left out
 * because of a fault; each has a line in the log. */
uint32_t np_store_text_parse(struct np_master *master, const char *text, uint32_t len);

#endif
