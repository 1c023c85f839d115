/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/master/pages.h"

#include <stddef.h>
#include <string.h>

const struct np_page *np_page_find(const char *path, uint32_t len)
{
    for (uint32_t i = 0; i < np_page_count; i++) {
        if (strlen(np_pages[i].path) == len && memcmp(np_pages[i].path, path, len) == 0) {
            return &np_pages[i];
        }
    }
    return NULL;
}
