/* SPDX-License-Identifier: BSD-3-Clause */
/* text: what the program says about itself. */
#ifndef NP_PORT_POSIX_TEXT_H
#define NP_PORT_POSIX_TEXT_H

/* Banner with "Version: v<x.y.z> <os>/<arch>" and usage, to standard output. */
void np_text_print_usage(void);
/* Version, TLS and the limits compiled in, to standard output. */
void np_text_print_version(void);
/* The long help, to standard output. */
void np_text_print_help(void);

#endif
