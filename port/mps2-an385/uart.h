/* SPDX-License-Identifier: BSD-3-Clause */
/* uart: the console (CMSDK APB UART 0). Writing waits for the transmitter, reading is from a small
 * queue filled by interrupt. */
#ifndef NP_PORT_MPS2_AN385_UART_H
#define NP_PORT_MPS2_AN385_UART_H

#include <stdint.h>

void np_uart_init(void);
/* Works with interrupts masked and in any handler. */
void np_uart_write(const char *text, uint32_t len);
/* `text` up to its NUL. */
void np_uart_print(const char *text);
/* "0x" and eight digits. */
void np_uart_print_hex(uint32_t value);
void np_uart_print_uint(uint32_t value);
/* The next byte typed, or -1. */
int32_t np_uart_read(void);
/* Interrupt handler. */
void np_uart_on_receive(void);

#endif
