/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/mps2-an385/uart.h"

#include <string.h>

#include "port/mps2-an385/hw.h"

#define DATA NP_HW_REG(NP_HW_UART0 + 0x00u)
#define STATE NP_HW_REG(NP_HW_UART0 + 0x04u)
#define CTRL NP_HW_REG(NP_HW_UART0 + 0x08u)
#define INTERRUPT NP_HW_REG(NP_HW_UART0 + 0x0cu)
#define DIVIDER NP_HW_REG(NP_HW_UART0 + 0x10u)

enum { STATE_TX_FULL = 1, STATE_RX_FULL = 2 };
enum { CTRL_TX = 1, CTRL_RX = 2, CTRL_RX_INTERRUPT = 8, INTERRUPT_RX = 2 };
enum { BAUD = 115200, QUEUE = 16 };

static char queue[QUEUE];
static volatile uint8_t put_at, take_at; /* run freely */

void np_uart_init(void)
{
    DIVIDER = NP_HW_CLOCK_HZ / BAUD;
    CTRL = CTRL_TX | CTRL_RX | CTRL_RX_INTERRUPT;
    NP_HW_NVIC_ENABLE = 1u << NP_HW_IRQ_UART0_RX;
}

void np_uart_write(const char *text, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        while ((STATE & STATE_TX_FULL) != 0) {
        }
        DATA = (uint8_t)text[i];
    }
}

void np_uart_print(const char *text)
{
    np_uart_write(text, (uint32_t)strlen(text));
}

void np_uart_print_hex(uint32_t value)
{
    char text[10] = "0x";

    for (int i = 9; i > 1; i--) {
        text[i] = "0123456789abcdef"[value & 15u];
        value >>= 4;
    }
    np_uart_write(text, sizeof text);
}

void np_uart_print_uint(uint32_t value)
{
    char text[10];
    uint32_t at = sizeof text;

    do {
        text[--at] = (char)('0' + value % 10u);
        value /= 10u;
    } while (value > 0);
    np_uart_write(text + at, (uint32_t)sizeof text - at);
}

int32_t np_uart_read(void)
{
    if (take_at == put_at) {
        return -1;
    }
    return (uint8_t)queue[take_at++ % QUEUE];
}

void np_uart_on_receive(void)
{
    while ((STATE & STATE_RX_FULL) != 0) {
        char byte = (char)DATA;

        if ((uint8_t)(put_at - take_at) < QUEUE) {
            queue[put_at % QUEUE] = byte;
            put_at++;
        }
    }
    INTERRUPT = INTERRUPT_RX;
}
