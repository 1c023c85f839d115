/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/np_test.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct np_test *first_test;
static struct np_test **last_link = &first_test;
static const struct np_test *current;
static unsigned failed_checks; /* of the current test */
static char context[256];
static uint32_t stride = 1;

void np_test_insert(struct np_test *test)
{
    *last_link = test;
    last_link = &test->next;
}

void np_test_context(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(context, sizeof context, format, args);
    va_end(args);
}

/* Counts a failure; returns true if it shall be printed, after its place. */
static bool begin_failure(const char *file, int line)
{
    failed_checks++;
    if (failed_checks > NP_TEST_PRINTS) {
        return false;
    }
    printf("FAIL %s:%d: %s.%s: ", file, line, current->module, current->name);
    return true;
}

static void end_failure(void)
{
    printf("%s%s\n", context[0] != 0 ? "; in " : "", context);
}

bool np_test_check(bool holds, const char *file, int line, const char *text)
{
    if (!holds && begin_failure(file, line)) {
        printf("%s", text);
        end_failure();
    }
    return holds;
}

bool np_test_check_int(long long actual, long long expected, const char *file, int line,
                       const char *text)
{
    if (actual != expected && begin_failure(file, line)) {
        printf("%s is %lld, want %lld", text, actual, expected);
        end_failure();
    }
    return actual == expected;
}

static void print_escaped(const char *bytes, size_t len)
{
    putchar('"');
    for (size_t i = 0; i < len && i < 600; i++) {
        unsigned char c = (unsigned char)bytes[i];
        printf(c >= 0x20 && c < 0x7f && c != '\\' ? "%c" : "\\x%02x", c);
    }
    putchar('"');
}

bool np_test_check_str(const char *actual, const char *expected, const char *file, int line,
                       const char *text)
{
    bool holds = actual != NULL && strcmp(actual, expected) == 0;

    if (!holds && begin_failure(file, line)) {
        printf("%s is ", text);
        print_escaped(actual != NULL ? actual : "(NULL)", strlen(actual != NULL ? actual : ""));
        printf(", want ");
        print_escaped(expected, strlen(expected));
        end_failure();
    }
    return holds;
}

bool np_test_check_mem(const void *actual, const void *expected, size_t len, const char *file,
                       int line, const char *text)
{
    bool holds = memcmp(actual, expected, len) == 0;

    if (!holds && begin_failure(file, line)) {
        printf("%s is ", text);
        print_escaped(actual, len);
        printf(", want ");
        print_escaped(expected, len);
        end_failure();
    }
    return holds;
}

uint32_t np_test_stride(void)
{
    return stride;
}

/* "module" or "module.name"; no arguments select every test. */
static bool is_selected(const struct np_test *test, int count, char **names)
{
    char full[256];

    snprintf(full, sizeof full, "%s.%s", test->module, test->name);
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], test->module) == 0 || strcmp(names[i], full) == 0) {
            return true;
        }
    }
    return count == 0;
}

int main(int argc, char **argv)
{
    unsigned passed = 0;
    unsigned failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 2 && strcmp(argv[1], "--stride") == 0 && atoi(argv[2]) > 0) {
        stride = (uint32_t)atoi(argv[2]);
        argc -= 2;
        argv += 2;
    }
    for (current = first_test; current != NULL; current = current->next) {
        if (!is_selected(current, argc - 1, argv + 1)) {
            continue;
        }
        failed_checks = 0;
        context[0] = 0;
        current->run();
        if (failed_checks == 0) {
            printf("ok   %s.%s\n", current->module, current->name);
            passed++;
        } else {
            printf("FAIL %s.%s: %u checks\n", current->module, current->name, failed_checks);
            failed++;
        }
    }
    if (passed + failed == 0) {
        printf("no test has this name\n");
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed > 0 || passed == 0 ? 1 : 0;
}
