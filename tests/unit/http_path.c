/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "core/http/http_parse.h"
#include "tests/unit/np_test.h"

NP_TEST(http_path, segments)
{
    static const struct {
        const char *path, *joined; /* segments, each followed by '|' */
    } rows[] = {
        {"", ""},
        {"/", "|"},
        {"/a", "a|"},
        {"/a/", "a||"},
        {"//", "||"},
        {"/a//b", "a||b|"},
        {"/a%2Fb/c", "a%2Fb|c|"},
    };

    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct np_slice rest = np_slice_of(rows[i].path), segment;
        char joined[64] = "";
        while (np_http_segment_next(&rest, &segment)) {
            strncat(joined, segment.base, segment.len);
            strcat(joined, "|");
        }
        NP_CHECK_STR(joined, rows[i].joined);
    }
}

NP_TEST(http_path, decodes)
{
    static const struct {
        const char *text, *path, *query; /* NULL: invalid */
    } rows[] = {
        {"", "", ""},
        {"abc", "abc", "abc"},
        {"a%2Fb%c3%A9+", "a/b\xc3\xa9+", "a/b\xc3\xa9 "},
        {"%2A%2a%2A", "***", "***"},
        {"%", NULL, NULL},
        {"a%4", NULL, NULL},
        {"%g0", NULL, NULL},
        {"%0g", NULL, NULL},
        {"a%00", NULL, NULL},
    };

    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int is_query = 0; is_query < 2; is_query++) {
            const char *wanted = is_query ? rows[i].query : rows[i].path;
            char out[32];
            uint32_t len;
            np_test_context("%s", rows[i].text);
            enum np_err err =
                np_http_decode(np_slice_of(rows[i].text), is_query, out, sizeof out, &len);
            NP_CHECK_INT(err, wanted == NULL ? NP_ERR_INVALID : NP_OK);
            NP_CHECK_STR(out, wanted == NULL ? "" : wanted);
            NP_CHECK_INT(len, strlen(out));
            if (len > 0) {
                NP_CHECK_INT(np_http_decode(np_slice_of(rows[i].text), is_query, out, len, &len),
                             NP_ERR_TOO_LONG);
                NP_CHECK_STR(out, "");
            }
        }
    }
}

NP_TEST(http_path, query_parameters)
{
    static const struct {
        const char *query;
        enum np_err err;
        const char *value;
    } rows[] = {
        {"", NP_ERR_NOT_FOUND, ""},
        {"target", NP_OK, ""},
        {"target=", NP_OK, ""},
        {"target=a%3A1", NP_OK, "a:1"},
        {"x=1&target=b&target=c", NP_OK, "b"},
        {"&&t%61rget=[::1]:80", NP_OK, "[::1]:80"},
        {"targe=1&targets=2&Target=3", NP_ERR_NOT_FOUND, ""},
        {"target=a=b", NP_OK, "a=b"},
        {"target=%", NP_ERR_INVALID, ""},
        {"targe%=1", NP_ERR_NOT_FOUND, ""},
        {"target=0123456789012345678901234567890123456789", NP_ERR_TOO_LONG, ""},
    };

    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[32];
        uint32_t len;
        np_test_context("%s", rows[i].query);
        NP_CHECK_INT(
            np_http_query_find(np_slice_of(rows[i].query), "target", out, sizeof out, &len),
            rows[i].err);
        NP_CHECK_STR(out, rows[i].value);
        NP_CHECK_INT(len, strlen(out));
    }
}

NP_TEST(http_path, clean)
{
    static const struct {
        const char *path, *clean; /* clean NULL: it is already */
    } rows[] = {
        {"/", NULL},
        {"/api/v1/instances", NULL},
        {"/api/v1/instances/", NULL},
        {"/a/...", NULL},
        {"/a/.b", NULL},
        {"/a%2f%2fb", NULL},
        {"*", NULL},
        {"//", "/"},
        {"//api", "/api"},
        {"/api//v1", "/api/v1"},
        {"/api/v1//", "/api/v1/"},
        {"/.", "/"},
        {"/a/.", "/a"},
        {"/a/./", "/a/"},
        {"/a/..", "/"},
        {"/a/b/..", "/a"},
        {"/a/../b/", "/b/"},
        {"/../../etc", "/etc"},
        {"/a/%2e%2E/b", "/b"},
        {"/a/.%2e/b", "/b"},
        {"//evil.example/x", "/evil.example/x"},
        {"/x/..//\\evil.example", "/%5Cevil.example"},
        {"//\xc3\xa9\"<", "/%C3%A9%22%3C"},
    };

    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct np_slice path = np_slice_of(rows[i].path);
        char out[64];
        np_test_context("%s", rows[i].path);
        NP_CHECK_INT(np_http_path_is_clean(path), rows[i].clean == NULL);
        if (rows[i].clean != NULL) {
            uint32_t len = np_http_path_clean(path, out, sizeof out);
            NP_CHECK_INT(len, strlen(rows[i].clean));
            NP_CHECK_STR(out, rows[i].clean);
            NP_CHECK(np_http_path_is_clean(np_slice_of(out)));
            char *small = malloc(len);
            NP_CHECK_INT(np_http_path_clean(path, small, len), 0);
            free(small);
        }
    }
}
