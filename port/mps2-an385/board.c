/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/mps2-an385/board.h"

#include <string.h>

#include "platform/lwip/np_board.h"
#include "port/mps2-an385/clock.h"
#include "port/mps2-an385/hw.h"
#include "port/mps2-an385/semihost.h"
#include "port/mps2-an385/start.h"
#include "port/mps2-an385/uart.h"

enum { LINK_LOOK_US = 500000, WALL_LOOK_US = 60000000 };
enum { NAME_CAP = 256 };

static const uint8_t own_address[6] = {0x02, 0x4e, 0x50,
                                       0x00, 0x03, 0x85}; /* locally administered */

static struct np_lan9118 lan;
static bool is_link_up;
static uint64_t next_link_look_us;

const struct np_lan9118 *np_board_lan(void)
{
    return &lan;
}

/* ---- link ------------------------------------------------------------------------------------ */

void np_on_ethernet_interrupt(void)
{
    np_lan9118_on_interrupt(&lan);
}

bool np_board_link_open(uint8_t mac[6])
{
    memcpy(mac, own_address, sizeof own_address);
    if (!np_lan9118_init(&lan, NP_HW_ETHERNET, mac)) {
        return false;
    }
    NP_HW_NVIC_ENABLE = 1u << NP_HW_IRQ_ETHERNET;
    return true;
}

/* Asking the PHY takes some microseconds: not for every turn, but at once if a frame came where no
 * cable was. */
static void look_at_link(bool has_frame)
{
    uint64_t now_us = np_clock_now_us();

    if (now_us >= next_link_look_us || (has_frame && !is_link_up)) {
        next_link_look_us = now_us + LINK_LOOK_US;
        is_link_up = np_lan9118_is_link_up(&lan);
    }
}

int32_t np_board_link_receive(uint8_t *frame, uint32_t cap)
{
    for (;;) {
        uint32_t len = np_lan9118_begin_frame(&lan);

        look_at_link(len > 0);
        if (is_link_up && len <= cap) {
            np_lan9118_read_frame(&lan, frame, len);
            np_lan9118_end_frame(&lan);
            return (int32_t)len;
        }
        np_lan9118_end_frame(&lan); /* too long, or left over from before the cable went */
        if (!is_link_up) {
            return NP_ERR_UNREACHABLE;
        }
    }
}

bool np_board_link_send(const uint8_t *frame, uint32_t len)
{
    return np_lan9118_send(&lan, frame, len);
}

/* ---- time ------------------------------------------------------------------------------------ */

uint64_t np_board_now_us(void)
{
    return np_clock_now_us();
}

/* The host is asked once a minute; between, the board's own clock counts on. */
int64_t np_board_wall_ms(int32_t *offset_s)
{
    static int64_t base_ms; /* wall clock when now_us was 0 */
    static uint64_t next_us;
    uint64_t now_us = np_clock_now_us();

    *offset_s = 0;
    if (now_us >= next_us) {
        int64_t host_ms = np_semihost_time() * 1000;
        int64_t own_ms = base_ms + (int64_t)(now_us / 1000u);

        next_us = now_us + WALL_LOOK_US;
        if (host_ms <= 0) {
            return 0;
        }
        if (own_ms < host_ms || own_ms > host_ms + 1000) { /* the host knows whole seconds */
            base_ms = host_ms - (int64_t)(now_us / 1000u);
        }
    }
    return base_ms + (int64_t)(now_us / 1000u);
}

/* With interrupts masked a pending one still ends the sleep; it is served when they are open
 * again. */
void np_board_idle(uint64_t until_us, const volatile bool *is_woken)
{
    while (np_clock_now_us() < until_us) {
        bool is_over;

        np_hw_mask_interrupts();
        is_over = *is_woken || np_lan9118_can_read(&lan);
        if (!is_over) {
            np_hw_wait();
        }
        np_hw_unmask_interrupts();
        if (is_over) {
            return;
        }
    }
}

/* ---- entropy, storage, console --------------------------------------------------------------- */

bool np_board_random(uint8_t *buf, uint32_t len)
{
    static int32_t source; /* 0 = not yet open */

    if (source == 0) {
        source = np_semihost_open("/dev/urandom", NP_SEMIHOST_READ);
    }
    if (source <= 0) {
        source = 0;
        return false;
    }
    return np_semihost_read(source, buf, len) == (int32_t)len;
}

int32_t np_board_blob_load(const char *name, uint32_t offset, uint8_t *buf, uint32_t cap,
                           uint32_t *size)
{
    int32_t file = np_semihost_open(name, NP_SEMIHOST_READ);
    int32_t len, got = 0;

    if (file <= 0) {
        return NP_ERR_NOT_FOUND;
    }
    len = np_semihost_length(file);
    if (len < 0) {
        got = NP_ERR_IO;
    } else if (offset < (uint32_t)len && cap > 0) {
        got = np_semihost_seek(file, offset) ? np_semihost_read(file, buf, cap) : -1;
        got = got < 0 ? NP_ERR_IO : got;
    }
    np_semihost_close(file);
    *size = len < 0 ? 0 : (uint32_t)len;
    return got;
}

/* A second file that takes the name of the first when it is whole. */
enum np_err np_board_blob_store(const char *name, const uint8_t *buf, uint32_t len)
{
    static const char suffix[] = ".new";
    char other[NAME_CAP + sizeof suffix];
    size_t name_len = strlen(name);
    bool is_written;
    int32_t file;

    if (name_len > NAME_CAP) {
        return NP_ERR_IO;
    }
    memcpy(other, name, name_len);
    memcpy(other + name_len, suffix, sizeof suffix);
    file = np_semihost_open(other, NP_SEMIHOST_WRITE);
    if (file <= 0) {
        return NP_ERR_ACCESS;
    }
    is_written = np_semihost_write(file, buf, len);
    np_semihost_close(file);
    if (!is_written || !np_semihost_rename(other, name)) {
        (void)np_semihost_remove(other);
        return is_written ? NP_ERR_ACCESS : NP_ERR_NO_SPACE;
    }
    return NP_OK;
}

void np_board_log(uint32_t level, const char *line, uint32_t len)
{
    (void)level;
    np_uart_write(line, len);
}
