/* SPDX-License-Identifier: BSD-3-Clause */
/* ctl_text: the help of `nodepass ctl`. */
#ifndef NP_PORT_POSIX_CTL_TEXT_H
#define NP_PORT_POSIX_CTL_TEXT_H

/* To standard output. */
void np_ctl_text_print_help(void);

#endif
