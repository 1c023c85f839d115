/* SPDX-License-Identifier: BSD-3-Clause */
/* hw: addresses and bits of the board that more than one file needs (Arm AN385 for the MPS2 board,
 * Cortex-M3 technical reference manual). */
#ifndef NP_PORT_MPS2_AN385_HW_H
#define NP_PORT_MPS2_AN385_HW_H

#include <stdint.h>

#define NP_HW_CLOCK_HZ 25000000u /* processor, SysTick and peripherals */

#define NP_HW_REG(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* Interrupt numbers. */
enum { NP_HW_IRQ_UART0_RX = 0, NP_HW_IRQ_ETHERNET = 13, NP_HW_IRQ_COUNT = 32 };

#define NP_HW_UART0 0x40004000u
#define NP_HW_WATCHDOG 0x40008000u
#define NP_HW_ETHERNET 0x40200000u

#define NP_HW_SYSTICK_CTRL NP_HW_REG(0xe000e010u)
#define NP_HW_SYSTICK_LOAD NP_HW_REG(0xe000e014u)
#define NP_HW_SYSTICK_VALUE NP_HW_REG(0xe000e018u)
#define NP_HW_NVIC_ENABLE NP_HW_REG(0xe000e100u)
#define NP_HW_NVIC_DISABLE NP_HW_REG(0xe000e180u)
#define NP_HW_SCB_ICSR NP_HW_REG(0xe000ed04u)
#define NP_HW_SCB_AIRCR NP_HW_REG(0xe000ed0cu)
#define NP_HW_SCB_SHCSR NP_HW_REG(0xe000ed24u)
#define NP_HW_SCB_CFSR NP_HW_REG(0xe000ed28u)
#define NP_HW_SCB_HFSR NP_HW_REG(0xe000ed2cu)
#define NP_HW_SCB_MMFAR NP_HW_REG(0xe000ed34u)
#define NP_HW_SCB_BFAR NP_HW_REG(0xe000ed38u)
#define NP_HW_MPU_CTRL NP_HW_REG(0xe000ed94u)
#define NP_HW_MPU_NUMBER NP_HW_REG(0xe000ed98u)
#define NP_HW_MPU_BASE NP_HW_REG(0xe000ed9cu)
#define NP_HW_MPU_ATTRIBUTES NP_HW_REG(0xe000eda0u)

static inline void np_hw_mask_interrupts(void)
{
    __asm__ volatile("cpsid i" ::: "memory");
}

static inline void np_hw_unmask_interrupts(void)
{
    __asm__ volatile("cpsie i" ::: "memory");
}

/* Sleeps until an interrupt is pending, masked or not. */
static inline void np_hw_wait(void)
{
    __asm__ volatile("dsb\n\twfi" ::: "memory");
}

#endif
