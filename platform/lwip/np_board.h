/* SPDX-License-Identifier: BSD-3-Clause */
/* np_board: the ten functions that a board gives to platform/lwip. PORTING.md tells how to write
 * them.
 *
 * All are called from the loop, never from an interrupt, one at a time. None of them may call a
 * function of np_plat.h, np_plat_lwip.h or lwIP. Only np_board_idle may wait.
 */
#ifndef NP_PLATFORM_LWIP_NP_BOARD_H
#define NP_PLATFORM_LWIP_NP_BOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/err.h"

/* Longest Ethernet frame without its check sequence, bytes. */
#define NP_BOARD_FRAME_MAX 1514u

/* ---- link ------------------------------------------------------------------------------------ */

/* Starts the Ethernet controller, with all multicast frames let through (IPv6 needs them), and
 * tells its address. Called once, by np_lwip_open. False: there is no link on this board; only the
 * loopback works then, and the other functions of the link are not called. */
bool np_board_link_open(uint8_t mac[6]);
/* Copies the next received frame, without check sequence, to `frame` of `cap` bytes (at least
 * NP_BOARD_FRAME_MAX, aligned to 4). Returns its length, 0 if none waits, or NP_ERR_UNREACHABLE
 * while the cable is out. A frame that is damaged or does not fit is dropped by the board. */
int32_t np_board_link_receive(uint8_t *frame, uint32_t cap);
/* Sends one frame of 14 to NP_BOARD_FRAME_MAX bytes; the board pads short ones and is done with the
 * memory when it returns. False: no room now; the frame is lost and counted. */
bool np_board_link_send(const uint8_t *frame, uint32_t len);

/* ---- time ------------------------------------------------------------------------------------ */

/* Microseconds since an arbitrary start; never goes back. */
uint64_t np_board_now_us(void);
/* Milliseconds since 1970-01-01 UTC, 0 if the board does not know the time (yet). *offset_s: what
 * local time is ahead of UTC, seconds. */
int64_t np_board_wall_ms(int32_t *offset_s);

/* Waits until a frame can be received, *is_woken is true or the clock shows `until_us` (UINT64_MAX
 * = for ever); may return earlier. *is_woken is set in interrupt or signal handlers
 * (np_plat_wake): look at it with interrupts masked, so that none is missed. */
void np_board_idle(uint64_t until_us, const volatile bool *is_woken);

/* ---- entropy, storage, console --------------------------------------------------------------- */

/* Fills `buf` with random bytes fit for keys. False if the source fails: never anything weaker. */
bool np_board_random(uint8_t *buf, uint32_t len);

/* Copies up to `cap` bytes of the named blob, from `offset` on, to `buf`, and its whole size to
 * *size. Returns how many bytes, or NP_ERR_NOT_FOUND, NP_ERR_ACCESS, NP_ERR_IO. A board without
 * storage answers NP_ERR_NOT_FOUND. */
int32_t np_board_blob_load(const char *name, uint32_t offset, uint8_t *buf, uint32_t cap,
                           uint32_t *size);
/* Replaces the named blob as a whole: after a power cut the old or the new one is there. Returns
 * NP_OK, NP_ERR_ACCESS, NP_ERR_NO_SPACE or NP_ERR_IO. */
enum np_err np_board_blob_store(const char *name, const uint8_t *buf, uint32_t len);

/* Takes one finished log line of `len` bytes, newline included. `level` is enum np_log_level. */
void np_board_log(uint32_t level, const char *line, uint32_t len);

#endif
