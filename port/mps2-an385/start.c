/* SPDX-License-Identifier: BSD-3-Clause */
/* Exceptions that are not ours end in `np_fault_entry`: the frame is printed and the board starts
 * again. The cause survives in .noinit, which no start-up code touches. */
#include "port/mps2-an385/start.h"

#include <stdbool.h>
#include <string.h>

#include "port/mps2-an385/clock.h"
#include "port/mps2-an385/hw.h"
#include "port/mps2-an385/uart.h"

#define PAINT 0x5aa5c33cu
#define MAGIC 0x4e504657u
#define RESET_REQUEST 0x05fa0004u
#define REST_MAX_S 10u
#define GUARD_BYTES 0x100000u
#define GUARD_NO_ACCESS (1u << 28 | 19u << 1 | 1u) /* never executed, 2^(19 + 1) bytes, on */

extern uint32_t np_stack_low[], np_stack_high[];
extern uint32_t np_data_start[], np_data_end[], np_data_image[], np_bss_start[], np_bss_end[];
extern void (*const __init_array_start[])(void);
extern void (*const __init_array_end[])(void);

int main(void);
void np_start(void);
void np_fault_entry(void);
void np_fault_report(const uint32_t *frame);

static struct {
    uint32_t magic, cause, count;
} before __attribute__((section(".noinit")));

/* ---- resets ---------------------------------------------------------------------------------- */

enum np_reset_cause np_reset_cause(void)
{
    return (enum np_reset_cause)before.cause;
}

uint32_t np_reset_count(void)
{
    return before.count;
}

const char *np_reset_cause_text(enum np_reset_cause cause)
{
    static const char *const texts[] = {"power on", "fault", "watchdog", "assertion"};

    return (uint32_t)cause < 4 ? texts[cause] : "unknown";
}

static _Noreturn void reset(enum np_reset_cause cause)
{
    before.cause = (uint32_t)cause;
    before.count++;
    NP_HW_SCB_AIRCR = RESET_REQUEST;
    for (;;) {
        np_hw_wait();
    }
}

_Noreturn void np_reset_panic(const char *text)
{
    np_hw_mask_interrupts();
    np_uart_print("PANIC: ");
    np_uart_print(text);
    np_uart_print(" at ");
    np_uart_print_hex((uint32_t)(uintptr_t)__builtin_return_address(0));
    np_uart_print("\n");
    reset(NP_RESET_ASSERT);
}

/* ---- faults ---------------------------------------------------------------------------------- */

static void print_word(const char *name, uint32_t value)
{
    np_uart_print(name);
    np_uart_print_hex(value);
}

/* `frame`: r0 r1 r2 r3 r12 lr pc psr as the processor pushed them, if it still could. */
void np_fault_report(const uint32_t *frame)
{
    static const char *const names[] = {
        " r0=", " r1=", " r2=", " r3=", " r12=", " lr=", " pc=", " psr="};
    uint32_t number = NP_HW_SCB_ICSR & 0x1ffu;
    bool is_watchdog = number == 2;

    np_uart_print(is_watchdog ? "\nWATCHDOG: the loop stood still" : "\nFAULT: exception ");
    if (!is_watchdog) {
        np_uart_print_uint(number);
        print_word(" cfsr=", NP_HW_SCB_CFSR);
        print_word(" hfsr=", NP_HW_SCB_HFSR);
        print_word(" mmfar=", NP_HW_SCB_MMFAR);
        print_word(" bfar=", NP_HW_SCB_BFAR);
    }
    if (frame >= np_stack_low && frame + 8 <= np_stack_high) {
        for (uint32_t i = 0; i < 8; i++) {
            print_word(names[i], frame[i]);
        }
    } else {
        print_word(": stack overflow, sp=", (uint32_t)(uintptr_t)frame);
    }
    np_uart_print("\n");
    reset(is_watchdog ? NP_RESET_WATCHDOG : NP_RESET_FAULT);
}

/* An overflown stack can't carry the report: it begins at the top again. */
__attribute__((naked)) void np_fault_entry(void)
{
    __asm__ volatile("mrs r0, msp\n\t"
                     "ldr r1, =np_stack_high\n\t"
                     "sub r2, r1, #512\n\t"
                     "cmp r0, r2\n\t"
                     "bhs 1f\n\t"
                     "msr msp, r1\n"
                     "1:\n\t"
                     "b np_fault_report\n");
}

/* ---- stack ----------------------------------------------------------------------------------- */

uint32_t np_stack_bytes(void)
{
    return (uint32_t)((uintptr_t)np_stack_high - (uintptr_t)np_stack_low);
}

uint32_t np_stack_used(void)
{
    const uint32_t *at = np_stack_low;

    while ((uintptr_t)at < (uintptr_t)np_stack_high && *at == PAINT) {
        at++;
    }
    return (uint32_t)((uintptr_t)np_stack_high - (uintptr_t)at);
}

/* ---- start-up -------------------------------------------------------------------------------- */

/* Nothing lies below the stack, but not every bus says so to a write: the memory protection unit
 * closes the megabyte down there. */
static void guard_stack(void)
{
    NP_HW_MPU_NUMBER = 0;
    NP_HW_MPU_BASE = (uint32_t)(uintptr_t)np_stack_low - GUARD_BYTES;
    NP_HW_MPU_ATTRIBUTES = GUARD_NO_ACCESS;
    NP_HW_MPU_CTRL = 5; /* on, everything else as without it */
}

/* A board that starts again and again leaves its network and console some peace. */
static void rest_after_resets(void)
{
    uint32_t seconds = before.count < REST_MAX_S ? before.count : REST_MAX_S;
    uint64_t until_us = np_clock_now_us() + seconds * 1000000ull;

    while (np_clock_now_us() < until_us) {
        np_hw_wait();
    }
}

/* Runs on the painted stack with nothing on it yet. */
__attribute__((used, noreturn)) static void start_c(void)
{
    memcpy(np_data_start, np_data_image,
           (size_t)((uintptr_t)np_data_end - (uintptr_t)np_data_start));
    memset(np_bss_start, 0, (size_t)((uintptr_t)np_bss_end - (uintptr_t)np_bss_start));
    if (before.magic != MAGIC) {
        before.magic = MAGIC;
        before.cause = NP_RESET_POWER;
        before.count = 0;
    }
    guard_stack();
    np_uart_init();
    np_clock_init();
    for (void (*const *init)(void) = __init_array_start; init < __init_array_end; init++) {
        (*init)();
    }
    rest_after_resets();
    (void)main();
    np_reset_panic("main has returned");
}

/* Paints the whole stack, then enters C on it. */
__attribute__((naked, noreturn)) void np_start(void)
{
    __asm__ volatile("ldr r0, =np_stack_low\n\t"
                     "ldr r1, =np_stack_high\n\t"
                     "msr msp, r1\n\t"
                     "ldr r2, =%c0\n"
                     "1:\n\t"
                     "str r2, [r0], #4\n\t"
                     "cmp r0, r1\n\t"
                     "blo 1b\n\t"
                     "b start_c\n" ::"i"(PAINT));
}

struct vectors {
    const uint32_t *stack;
    void (*exceptions[15])(void);
    void (*interrupts[NP_HW_IRQ_COUNT])(void);
};

__attribute__((section(".vectors"), used)) static const struct vectors vectors = {
    np_stack_high,
    {np_start, np_fault_entry /* NMI: watchdog */, np_fault_entry, np_fault_entry, np_fault_entry,
     np_fault_entry, NULL, NULL, NULL, NULL, np_fault_entry, np_fault_entry, NULL, np_fault_entry,
     np_clock_on_tick},
    {[NP_HW_IRQ_UART0_RX] = np_uart_on_receive,
     [NP_HW_IRQ_UART0_RX + 1 ... NP_HW_IRQ_ETHERNET - 1] = np_fault_entry,
     [NP_HW_IRQ_ETHERNET] = np_on_ethernet_interrupt,
     [NP_HW_IRQ_ETHERNET + 1 ... NP_HW_IRQ_COUNT - 1] = np_fault_entry},
};
