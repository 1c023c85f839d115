/* SPDX-License-Identifier: BSD-3-Clause */
/* Any text as a URL: bounds hold, and neither a report nor the masked form shows the key. The key
 * is planted: each "%%" in the input stands for SECRET. */
#include "config/url.h"
#include "tests/fuzz/fuzz.h"

#define SECRET "s3cr3tK3y"

struct told {
    bool is_key_shown;
    uint32_t errors;
};

static void take_report(void *context, bool is_error, const char *text)
{
    struct told *told = context;

    told->errors += is_error ? 1u : 0u;
    told->is_key_shown |= strstr(text, SECRET) != NULL;
    FUZZ_CHECK(strchr(text, '\n') == NULL);
}

/* The secret counts only where a key belongs: right behind "://", before the only '@'. */
static bool has_secret_as_key(const char *url, size_t len)
{
    const char *scheme = strstr(url, "://");
    const char *secret = strstr(url, SECRET);

    return strlen(url) == len && scheme != NULL && secret == scheme + 3 &&
           secret[strlen(SECRET)] == '@' && strstr(secret + 1, SECRET) == NULL;
}

static size_t plant_secret(char *out, size_t cap, const uint8_t *data, size_t size)
{
    size_t len = 0;

    for (size_t i = 0; i < size && len + sizeof(SECRET) < cap; i++) {
        if (i + 1 < size && data[i] == '%' && data[i + 1] == '%') {
            memcpy(out + len, SECRET, sizeof(SECRET) - 1);
            len += sizeof(SECRET) - 1;
            i++;
        } else {
            out[len++] = (char)data[i];
        }
    }
    out[len] = '\0';
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct np_settings settings;
    static char url[2 * NP_MAX_URL], masked[NP_URL_MASKED_CAP], line[NP_URL_MASKED_CAP];
    struct told told = {0};
    struct np_report report = {.line = take_report, .context = &told};
    size_t len = plant_secret(url, sizeof(url), data, size);
    bool has_secret = has_secret_as_key(url, len);
    char *copy = (char *)fuzz_copy(url, len);

    np_url_role(copy, (uint32_t)len);
    np_url_parse(&settings, copy, (uint32_t)len, &report);
    uint32_t masked_len = np_url_mask(copy, (uint32_t)len, masked, sizeof(masked));
    free(copy);
    FUZZ_CHECK(masked_len < sizeof(masked) && strlen(masked) == masked_len);
    FUZZ_CHECK(told.errors == report.error_count);
    if (has_secret) {
        FUZZ_CHECK(!told.is_key_shown);
        FUZZ_CHECK(strstr(masked, SECRET) == NULL);
    }
    if (report.error_count > 0) {
        return 0;
    }
    FUZZ_CHECK(settings.role != NP_ROLE_NONE);
    FUZZ_CHECK(settings.role == NP_ROLE_MASTER || settings.key_len >= 1);
    FUZZ_CHECK(settings.role == NP_ROLE_MASTER || (settings.min >= 1 && settings.max >= 1));
    FUZZ_CHECK(np_settings_format(&settings, line, sizeof(line)) < sizeof(line));
    FUZZ_CHECK(!has_secret || strstr(line, SECRET) == NULL);
    return 0;
}
