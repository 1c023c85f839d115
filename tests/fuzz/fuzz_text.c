/* SPDX-License-Identifier: BSD-3-Clause */
/* Small texts: durations, addresses, ids. What parses is written back and parses to the same value.
 */
#include "config/duration.h"
#include "core/base/addr.h"
#include "core/wire/dialect.h"
#include "tests/fuzz/fuzz.h"

static void check_duration(const char *text, uint32_t len)
{
    uint32_t ms = 0, again = 0;
    char out[NP_DURATION_TEXT_CAP];

    if (np_duration_parse(&ms, text, len)) {
        uint32_t written = np_duration_format(ms, out, sizeof(out));
        FUZZ_CHECK(ms <= NP_DURATION_MAX_MS && written < sizeof(out));
        FUZZ_CHECK(np_duration_parse(&again, out, written) && again == ms);
    }
}

static void check_addr(const char *text, uint32_t len)
{
    struct np_addr addr, again;
    char out[NP_ADDR_TEXT_CAP];

    memset(&addr, 0, sizeof(addr));
    memset(&again, 0, sizeof(again));
    if (np_addr_parse(&addr, text, len)) {
        uint32_t written = np_addr_format(&addr, out, sizeof(out));
        FUZZ_CHECK(written < sizeof(out) && out[written] == '\0');
        FUZZ_CHECK(np_addr_parse(&again, out, written) && np_addr_is_equal(&addr, &again));
        FUZZ_CHECK(np_addr_hash(&addr, 7) == np_addr_hash(&again, 7));
    }
    if (np_addr_parse_ip(&addr, text, len, 80)) {
        uint32_t written = np_addr_format_ip(&addr, out, sizeof(out));
        FUZZ_CHECK(written < sizeof(out));
        FUZZ_CHECK(np_addr_parse_ip(&again, out, written, 80) && np_addr_is_equal(&addr, &again));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t id = 0;
    char *copy = (char *)fuzz_copy(data, size);

    check_duration(copy, (uint32_t)size);
    check_addr(copy, (uint32_t)size);
    if (size == NP_DIALECT_ID_LEN && np_id_parse(&id, copy)) {
        char out[NP_DIALECT_ID_LEN];
        np_id_format(out, id);
        FUZZ_CHECK(memcmp(out, copy, sizeof(out)) == 0);
    }
    free(copy);
    return 0;
}
