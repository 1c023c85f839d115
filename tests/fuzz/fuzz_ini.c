/* SPDX-License-Identifier: BSD-3-Clause */
/* Any text as an INI file: bounds hold, every instance kept is whole, reports are single lines. */
#include "config/ini.h"
#include "tests/fuzz/fuzz.h"

static void take_report(void *context, bool is_error, const char *text)
{
    uint32_t *errors = context;

    *errors += is_error ? 1u : 0u;
    FUZZ_CHECK(strchr(text, '\n') == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct np_settings instances[8];
    static struct np_process process;
    struct np_ini ini = {.process = &process, .instances = instances, .cap = 8};
    uint32_t errors = 0;
    struct np_report report = {.line = take_report, .context = &errors};
    char *copy = (char *)fuzz_copy(data, size);

    np_process_init(&process);
    np_ini_parse(&ini, copy, (uint32_t)size, "fuzz.ini", &report);
    free(copy);
    FUZZ_CHECK(ini.count <= ini.cap);
    FUZZ_CHECK(errors == report.error_count);
    for (uint32_t i = 0; i < ini.count; i++) {
        FUZZ_CHECK(instances[i].role != NP_ROLE_NONE);
        FUZZ_CHECK(memchr(instances[i].alias, 0, sizeof(instances[i].alias)) != NULL);
        FUZZ_CHECK(memchr(instances[i].tunnel.host, 0, sizeof(instances[i].tunnel.host)) != NULL);
    }
    return 0;
}
