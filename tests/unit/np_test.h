/* SPDX-License-Identifier: BSD-3-Clause */
/* np_test: unit tests that register themselves.
 *
 *   NP_TEST(pool, stale_handles) { ... NP_CHECK_INT(actual, expected); ... }
 *
 * A failed check is printed and counted and the test goes on; after NP_TEST_PRINTS of them a test
 * stays silent. The program runs all tests, or those given as "module" or "module.name";
 * `--stride N` before them takes every Nth step of the longest loops.
 */
#ifndef NP_TESTS_UNIT_NP_TEST_H
#define NP_TESTS_UNIT_NP_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NP_TEST_PRINTS 5

struct np_test {
    const char *module, *name;
    void (*run)(void);
    struct np_test *next;
};
void np_test_insert(struct np_test *test);

/* Each reports a failure at file:line; returns true if the check holds. */
bool np_test_check(bool holds, const char *file, int line, const char *text);
bool np_test_check_int(long long actual, long long expected, const char *file, int line,
                       const char *text);
bool np_test_check_str(const char *actual, const char *expected, const char *file, int line,
                       const char *text);
bool np_test_check_mem(const void *actual, const void *expected, size_t len, const char *file,
                       int line, const char *text);
/* What long loops advance by: 1, or what --stride says where a CPU is emulated. */
uint32_t np_test_stride(void);
/* Printed with the next failure, to tell which row of a table or which seed it was. */
void np_test_context(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define NP_TEST(module, name)                                                                      \
    static void test_##module##_##name(void);                                                      \
    __attribute__((constructor)) static void insert_##module##_##name(void)                        \
    {                                                                                              \
        static struct np_test test = {#module, #name, test_##module##_##name, NULL};               \
        np_test_insert(&test);                                                                     \
    }                                                                                              \
    static void test_##module##_##name(void)

#define NP_CHECK(condition) np_test_check((condition), __FILE__, __LINE__, #condition)
#define NP_CHECK_INT(actual, expected)                                                             \
    np_test_check_int((long long)(actual), (long long)(expected), __FILE__, __LINE__, #actual)
#define NP_CHECK_STR(actual, expected)                                                             \
    np_test_check_str((actual), (expected), __FILE__, __LINE__, #actual)
#define NP_CHECK_MEM(actual, expected, len)                                                        \
    np_test_check_mem((actual), (expected), (len), __FILE__, __LINE__, #actual)

/* Repeatable random numbers for tests (splitmix64); *state is the seed. */
static inline uint64_t np_test_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}
/* 0 to range - 1. */
static inline uint32_t np_test_below(uint64_t *state, uint32_t range)
{
    return (uint32_t)((np_test_random(state) >> 32) * range >> 32);
}

#endif
