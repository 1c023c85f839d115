/* SPDX-License-Identifier: BSD-3-Clause */
/* Source: SMSC LAN9118 data sheet, chapters 3 (FIFOs) and 5 (registers). */
#include "port/mps2-an385/lan9118.h"

#include <stddef.h>
#include <string.h>

/* System registers. */
enum {
    RX_DATA = 0x00,
    TX_DATA = 0x20,
    RX_STATUS = 0x40,
    TX_STATUS = 0x48,
    IRQ_CFG = 0x54,
    INT_STS = 0x58,
    INT_EN = 0x5c,
    BYTE_TEST = 0x64,
    FIFO_INT = 0x68,
    RX_CFG = 0x6c,
    TX_CFG = 0x70,
    HW_CFG = 0x74,
    RX_FIFO_INF = 0x7c,
    TX_FIFO_INF = 0x80,
    RX_DROP = 0xa0,
    MAC_CSR_CMD = 0xa4,
    MAC_CSR_DATA = 0xa8,
    AFC_CFG = 0xac
};
/* Registers of the MAC and of the PHY behind it. */
enum { MAC_CR = 1, ADDRH = 2, ADDRL = 3, MII_ACC = 6, MII_DATA = 7 };
enum { PHY_CONTROL = 0, PHY_STATUS = 1 };

#define BYTE_TEST_VALUE 0x87654321u
#define HW_RESET 1u
#define HW_STORE_AND_FORWARD (1u << 20)
#define HW_TX_5_KB (5u << 16) /* of 16 KB; the rest is for reception */
#define IRQ_ENABLE (1u << 8)
#define IRQ_ACTIVE_HIGH_PUSH_PULL 0x11u
#define INT_RX_STATUS_LEVEL (1u << 3)
#define INT_RX_DROPPED (1u << 6) /* RX_DROP half full */
#define TX_ON 2u
#define MAC_TX (1u << 3)
#define MAC_RX (1u << 2)
#define MAC_FULL_DUPLEX (1u << 20)
#define MAC_ALL_MULTICAST (1u << 19) /* MCPAS */
#define CSR_BUSY (1u << 31)
#define CSR_READ (1u << 30)
#define MII_BUSY 1u
#define MII_WRITE 2u
#define PHY_ADDRESS (1u << 11)
#define PHY_LINK (1u << 2)
#define PHY_AUTO_NEGOTIATE 0x1200u
#define RX_STATUS_ERROR (1u << 15)
#define TX_STATUS_ERROR (1u << 15)
#define TX_FIRST_AND_LAST 0x3000u

enum { FCS_LEN = 4, HEADER_LEN = 14, TX_COMMANDS = 8, SPIN = 100000 };

static volatile uint32_t *reg(const struct np_lan9118 *lan, uint32_t offset)
{
    return (volatile uint32_t *)(lan->base + offset);
}

/* ---- MAC and PHY ----------------------------------------------------------------------------- */

static bool wait_csr(const struct np_lan9118 *lan)
{
    for (uint32_t i = 0; i < SPIN; i++) {
        if ((*reg(lan, MAC_CSR_CMD) & CSR_BUSY) == 0) {
            return true;
        }
    }
    return false;
}

static uint32_t read_mac(const struct np_lan9118 *lan, uint32_t index)
{
    (void)wait_csr(lan);
    *reg(lan, MAC_CSR_CMD) = CSR_BUSY | CSR_READ | index;
    (void)wait_csr(lan);
    return *reg(lan, MAC_CSR_DATA);
}

static void write_mac(const struct np_lan9118 *lan, uint32_t index, uint32_t value)
{
    (void)wait_csr(lan);
    *reg(lan, MAC_CSR_DATA) = value;
    *reg(lan, MAC_CSR_CMD) = CSR_BUSY | index;
    (void)wait_csr(lan);
}

static void wait_mii(const struct np_lan9118 *lan)
{
    for (uint32_t i = 0; i < SPIN && (read_mac(lan, MII_ACC) & MII_BUSY) != 0; i++) {
    }
}

static uint32_t read_phy(const struct np_lan9118 *lan, uint32_t index)
{
    wait_mii(lan);
    write_mac(lan, MII_ACC, PHY_ADDRESS | index << 6 | MII_BUSY);
    wait_mii(lan);
    return read_mac(lan, MII_DATA) & 0xffffu;
}

static void write_phy(const struct np_lan9118 *lan, uint32_t index, uint32_t value)
{
    wait_mii(lan);
    write_mac(lan, MII_DATA, value);
    write_mac(lan, MII_ACC, PHY_ADDRESS | index << 6 | MII_WRITE | MII_BUSY);
    wait_mii(lan);
}

bool np_lan9118_is_link_up(const struct np_lan9118 *lan)
{
    (void)read_phy(lan, PHY_STATUS); /* a loss is latched until it was read */
    return (read_phy(lan, PHY_STATUS) & PHY_LINK) != 0;
}

/* ---- start ----------------------------------------------------------------------------------- */

bool np_lan9118_init(struct np_lan9118 *lan, uintptr_t base, const uint8_t mac[6])
{
    uint32_t turns = 0;

    memset(lan, 0, sizeof *lan);
    lan->base = base;
    if (*reg(lan, BYTE_TEST) != BYTE_TEST_VALUE) {
        return false;
    }
    *reg(lan, HW_CFG) = HW_RESET;
    while ((*reg(lan, HW_CFG) & HW_RESET) != 0) {
        if (++turns == SPIN) {
            return false;
        }
    }
    *reg(lan, HW_CFG) = HW_STORE_AND_FORWARD | HW_TX_5_KB;
    *reg(lan, AFC_CFG) = 0x006e3740u; /* the data sheet's levels for flow control */
    *reg(lan, INT_EN) = 0;
    *reg(lan, INT_STS) = UINT32_MAX;
    *reg(lan, FIFO_INT) = 0; /* tell each frame */
    *reg(lan, RX_CFG) = 0;
    write_phy(lan, PHY_CONTROL, PHY_AUTO_NEGOTIATE);
    write_mac(lan, ADDRL,
              mac[0] | (uint32_t)mac[1] << 8 | (uint32_t)mac[2] << 16 | (uint32_t)mac[3] << 24);
    write_mac(lan, ADDRH, mac[4] | (uint32_t)mac[5] << 8);
    write_mac(lan, MAC_CR, MAC_TX | MAC_RX | MAC_FULL_DUPLEX | MAC_ALL_MULTICAST);
    *reg(lan, TX_CFG) = TX_ON;
    *reg(lan, IRQ_CFG) = IRQ_ENABLE | IRQ_ACTIVE_HIGH_PUSH_PULL;
    *reg(lan, INT_EN) = INT_RX_STATUS_LEVEL | INT_RX_DROPPED;
    return true;
}

void np_lan9118_on_interrupt(const struct np_lan9118 *lan)
{
    *reg(lan, INT_STS) = *reg(lan, INT_STS);
}

/* ---- receive --------------------------------------------------------------------------------- */

bool np_lan9118_can_read(const struct np_lan9118 *lan)
{
    return (*reg(lan, RX_FIFO_INF) & 0x00ff0000u) != 0;
}

/* Word by word: the controller's own fast-forward leaves QEMU's model out of step, so that every
 * later frame would be read at a wrong place. */
static void skip_rest(struct np_lan9118 *lan)
{
    for (uint32_t words = (lan->rx_len + 3) / 4; words > 0; words--) {
        (void)*reg(lan, RX_DATA);
    }
    lan->rx_len = 0;
}

uint32_t np_lan9118_begin_frame(struct np_lan9118 *lan)
{
    lan->rx_dropped += *reg(lan, RX_DROP); /* reading clears it */
    while (np_lan9118_can_read(lan)) {
        uint32_t status = *reg(lan, RX_STATUS);
        uint32_t len = status >> 16 & 0x3fffu;

        lan->rx_len = len;
        if ((status & RX_STATUS_ERROR) == 0 && len >= HEADER_LEN + FCS_LEN &&
            len <= NP_LAN9118_FRAME_MAX + FCS_LEN) {
            lan->rx_frames++;
            return len - FCS_LEN;
        }
        lan->rx_errors++;
        skip_rest(lan);
    }
    return 0;
}

void np_lan9118_read_frame(struct np_lan9118 *lan, void *buf, uint32_t len)
{
    uint8_t *out = buf;

    while (len > 0) {
        uint32_t word = *reg(lan, RX_DATA);
        uint32_t step = len < 4 ? len : 4;

        memcpy(out, &word, step);
        out += step;
        len -= step;
        lan->rx_len -= lan->rx_len < 4 ? lan->rx_len : 4;
    }
}

void np_lan9118_end_frame(struct np_lan9118 *lan)
{
    skip_rest(lan);
}

/* ---- send ------------------------------------------------------------------------------------ */

void np_lan9118_drain_status(struct np_lan9118 *lan)
{
    while ((*reg(lan, TX_FIFO_INF) & 0x00ff0000u) != 0) {
        if ((*reg(lan, TX_STATUS) & TX_STATUS_ERROR) != 0) {
            lan->tx_errors++;
        }
    }
}

bool np_lan9118_send(struct np_lan9118 *lan, const uint8_t *frame, uint32_t len)
{
    uint32_t words = (len + 3) / 4;

    np_lan9118_drain_status(lan);
    if (len < HEADER_LEN || len > NP_LAN9118_FRAME_MAX ||
        (*reg(lan, TX_FIFO_INF) & 0xffffu) < words * 4 + TX_COMMANDS) {
        lan->tx_full++;
        return false;
    }
    *reg(lan, TX_DATA) = TX_FIRST_AND_LAST | len;
    *reg(lan, TX_DATA) = len << 16 | len;
    for (uint32_t i = 0; i < words; i++) {
        uint32_t word = 0, left = len - i * 4;

        memcpy(&word, frame + (size_t)i * 4, left < 4 ? left : 4);
        *reg(lan, TX_DATA) = word;
    }
    lan->tx_frames++;
    return true;
}
