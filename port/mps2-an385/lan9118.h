/* SPDX-License-Identifier: BSD-3-Clause */
/* lan9118: driver of the SMSC LAN9118 Ethernet controller. Frames are copied by the processor;
 * reception is told by interrupt, everything else is asked for. Knows no network stack. */
#ifndef NP_PORT_MPS2_AN385_LAN9118_H
#define NP_PORT_MPS2_AN385_LAN9118_H

#include <stdbool.h>
#include <stdint.h>

#define NP_LAN9118_FRAME_MAX 1514u /* without the check sequence */

struct np_lan9118 {
    uintptr_t base;  /* of its registers */
    uint32_t rx_len; /* bytes of the begun frame that were not read, with check sequence */
    uint32_t rx_frames, tx_frames;
    uint32_t rx_errors;  /* frames that the controller marked as damaged, or of a wrong length */
    uint32_t rx_dropped; /* frames that found its queue full */
    uint32_t tx_errors;  /* frames that did not leave */
    uint32_t tx_full;    /* frames refused because its queue was full */
};

/* Resets the controller, sets the address and starts both directions; broadcast and all multicast
 * frames are taken (IPv6 neighbour discovery needs them). Returns false if none answers. */
bool np_lan9118_init(struct np_lan9118 *lan, uintptr_t base, const uint8_t mac[6]);

/* True while a frame waits. */
bool np_lan9118_can_read(const struct np_lan9118 *lan);
/* Begins the next good frame: its length in bytes without the check sequence, 0 if none waits.
 * Damaged ones are dropped and counted. The frame has to be read or dropped as a whole. */
uint32_t np_lan9118_begin_frame(struct np_lan9118 *lan);
/* Copies the next `len` bytes of the begun frame; `len` is a multiple of 4 but for the last one. */
void np_lan9118_read_frame(struct np_lan9118 *lan, void *buf, uint32_t len);
/* Ends the begun frame; what was not read is dropped. */
void np_lan9118_end_frame(struct np_lan9118 *lan);

/* Sends a frame of 14 to NP_LAN9118_FRAME_MAX bytes, short ones padded by the controller. False:
 * no room now. */
bool np_lan9118_send(struct np_lan9118 *lan, const uint8_t *frame, uint32_t len);
/* Takes what the controller reports about frames sent; it stops sending if nobody does. */
void np_lan9118_drain_status(struct np_lan9118 *lan);

bool np_lan9118_is_link_up(const struct np_lan9118 *lan);
/* Interrupt handler: acknowledges; the loop finds out what happened. */
void np_lan9118_on_interrupt(const struct np_lan9118 *lan);

#endif
