/* SPDX-License-Identifier: BSD-3-Clause */
/* board: the ten functions of platform/lwip/np_board.h on this board, and what its port wants to
 * know of them beside. */
#ifndef NP_PORT_MPS2_AN385_BOARD_H
#define NP_PORT_MPS2_AN385_BOARD_H

#include "port/mps2-an385/lan9118.h"

/* The controller and its counters. */
const struct np_lan9118 *np_board_lan(void);

#endif
