/* SPDX-License-Identifier: BSD-3-Clause */
/* ctl_show: a master's answers as text for a terminal. Nothing of what a master says reaches the
 * terminal with control bytes in it, but colours of log lines where they are wanted. */
#ifndef NP_PORT_POSIX_CTL_SHOW_H
#define NP_PORT_POSIX_CTL_SHOW_H

#include "core/http/json.h"

/* All instances as a table; the record of the API key is left out. */
void np_ctl_show_list(const struct np_json_value *list);
/* One instance, a fact a line; the key of its URL stays hidden, or is shown. */
void np_ctl_show_instance(const struct np_json_value *instance);
void np_ctl_show_open(const struct np_json_value *instance);
/* GET /info, a fact a line. */
void np_ctl_show_info(const struct np_json_value *info);
/* One event in a line; `has_color` keeps the colours of log lines. */
void np_ctl_show_event(const struct np_json_value *event, bool has_color);

/* The string member `name`, cleaned and cut to `cap` bytes; "" if there is none. */
void np_ctl_text_of(const struct np_json_value *object, const char *name, char *out, uint32_t cap);

#endif
