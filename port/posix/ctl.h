/* SPDX-License-Identifier: BSD-3-Clause */
/* ctl: `nodepass ctl VERB`: a running master asked and told from the command line. */
#ifndef NP_PORT_POSIX_CTL_H
#define NP_PORT_POSIX_CTL_H

/* `argv` are the arguments behind "ctl". Returns the exit code: 0 done, 1 a wrong command or the
 * master said no (the reason is printed), 2 the master can't be reached. */
int np_ctl_run(int argc, char **argv);

#endif
