/* SPDX-License-Identifier: BSD-3-Clause */
/* The unit tests' main on the board: arguments from the command line, the verdict as exit code. */
#include <stdlib.h>
#include <string.h>

#include "port/mps2-an385/semihost.h"
#include "port/mps2-an385/start.h"
#include "port/mps2-an385/uart.h"
#include "port/mps2-an385/watchdog.h"

int np_unit_main(int argc, char **argv);

void np_on_ethernet_interrupt(void)
{
}

/* Fills the stack; the compiler can't know that it has no end. */
static uint32_t overflow(volatile uint32_t depth)
{
    volatile uint32_t room[64];

    room[0] = depth;
    return depth == UINT32_MAX ? room[0] : overflow(depth + 1) + room[0];
}

/* Ends badly in one of three ways; the run after it says why it began. */
static int reset_by(const char *what)
{
    if (np_reset_count() > 0) {
        np_uart_print("after ");
        np_uart_print(np_reset_cause_text(np_reset_cause()));
        np_uart_print("\n");
        return np_reset_count() == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    if (strcmp(what, "overflow") == 0) {
        return (int)overflow(0);
    }
    if (strcmp(what, "panic") == 0) {
        np_reset_panic("on purpose");
    }
    np_watchdog_start(1);
    for (;;) {
    }
}

int main(void)
{
    static char line[1024];
    static char *words[32];
    int count = 0;

    (void)np_semihost_command_line(line, sizeof line);
    for (char *word = strtok(line, " "); word != NULL && count < 32; word = strtok(NULL, " ")) {
        words[count++] = word;
    }
    if (count == 3 && strcmp(words[1], "reset") == 0) {
        exit(reset_by(words[2]));
    }
    if (np_reset_count() > 0) { /* the report stands above */
        exit(EXIT_FAILURE);
    }
    exit(np_unit_main(count, words));
}
