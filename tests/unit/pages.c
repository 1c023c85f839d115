/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/master/pages.h"

#include <string.h>

#include "tests/unit/np_test.h"

#define MOST_BYTES 32768u /* all pages together, in the program and on the wire */

static const struct np_page *find(const char *path)
{
    return np_page_find(path, (uint32_t)strlen(path));
}

NP_TEST(pages, are_found_by_their_whole_path)
{
    static const char *const others[] = {"", "/x", "/doc", "/docs/", "/docsx", "docs", "//"};

    NP_CHECK(find("/") != NULL && find("/docs") != NULL && find("/") != find("/docs"));
    NP_CHECK(np_page_find("/docs", 1) == find("/"));
    for (uint32_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        NP_CHECK(find(others[i]) == NULL);
    }
    NP_CHECK_INT(np_page_count, 2);
}

NP_TEST(pages, are_gzip_and_small)
{
    static const uint8_t head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0}; /* no name, no time */
    uint32_t total = 0;

    for (uint32_t i = 0; i < np_page_count; i++) {
        NP_CHECK(np_pages[i].body_len > 1000);
        NP_CHECK_MEM(np_pages[i].body, head, sizeof(head));
        NP_CHECK_STR(np_pages[i].type, "text/html; charset=utf-8");
        total += np_pages[i].body_len;
    }
    NP_CHECK(total <= MOST_BYTES);
}

NP_TEST(pages, have_quoted_tags_of_their_own)
{
    const char *panel = find("/")->etag, *docs = find("/docs")->etag;

    NP_CHECK_INT(strlen(panel), 18);
    NP_CHECK(panel[0] == '"' && panel[17] == '"');
    NP_CHECK(strcmp(panel, docs) != 0);
}
