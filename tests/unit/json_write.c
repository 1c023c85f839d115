/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "core/http/json.h"
#include "tests/unit/np_test.h"

/* Every kind of value, commas and keys. */
static void write_all(struct np_json *json)
{
    struct np_slice part = {"partial", 4};

    np_json_open(json, NULL, '{');
    np_json_put_text(json, "id", "0a1b");
    np_json_put_slice(json, "part", part);
    np_json_put_uint(json, "max", UINT64_MAX);
    np_json_put_int(json, "min", INT64_MIN);
    np_json_put_bool(json, "yes", true);
    np_json_put_bool(json, "no", false);
    np_json_put_null(json, "none");
    np_json_open(json, "tags", '{');
    np_json_close(json, '}');
    np_json_open(json, "list", '[');
    np_json_put_text(json, NULL, "");
    np_json_open(json, NULL, '{');
    np_json_put_member(json, np_slice_of("k\""), np_slice_of("v"));
    np_json_put_member(json, np_slice_of("l"), np_slice_of("w"));
    np_json_close(json, '}');
    np_json_put_uint(json, NULL, 0);
    np_json_close(json, ']');
    np_json_put_value(json, "raw", np_slice_of("[1]"));
    np_json_close(json, '}');
    np_json_raw(json, "\n");
    np_json_raw_fmt(json, "%s=%u", "x", 5u);
}
static const char all[] =
    "{\"id\":\"0a1b\",\"part\":\"part\",\"max\":18446744073709551615,\"min\":-9223372036854775808,"
    "\"yes\":true,\"no\":false,\"none\":null,\"tags\":{},\"list\":[\"\",{\"k\\\"\":\"v\",\"l\":"
    "\"w\"},"
    "0],\"raw\":[1]}\nx=5";

NP_TEST(json_write, values)
{
    char mem[512];
    struct np_json json;

    np_json_init(&json, mem, sizeof mem);
    write_all(&json);
    NP_CHECK(!json.is_full);
    NP_CHECK_INT(json.len, sizeof all - 1);
    NP_CHECK_MEM(mem, all, sizeof all - 1);
}

NP_TEST(json_write, full_at_every_size)
{
    for (uint32_t cap = 0; cap <= sizeof all; cap++) {
        char *mem = malloc(cap > 0 ? cap : 1);
        struct np_json json;
        np_json_init(&json, mem, cap);
        write_all(&json);
        NP_CHECK_INT(json.is_full, cap < sizeof all - 1);
        NP_CHECK(json.len <= cap);
        free(mem);
    }
}

NP_TEST(json_write, escapes)
{
    static const struct {
        const char *text, *out;
    } rows[] = {
        {"/a b\x7f", "/a b\x7f"},
        {"\"\\", "\\\"\\\\"},
        {"<&>", "\\u003c\\u0026\\u003e"},
        {"\x01\n\t\x1b[0m", "\\u0001\\u000a\\u0009\\u001b[0m"},
        {"\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa", "\\u2028\\u2029\xe2\x80\xaa"},
        {"\xc3\xa9\xf0\x9f\x98\x80", "\xc3\xa9\xf0\x9f\x98\x80"},
        {"a\xff\xc3", "a\\ufffd\\ufffd"},
        {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},
        {"\xe2\x80", "\\ufffd\\ufffd"},
    };

    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char mem[64];
        struct np_json json;
        np_json_init(&json, mem, sizeof mem);
        np_json_put_text(&json, NULL, rows[i].text);
        np_test_context("row %u", i);
        NP_CHECK_INT(json.len, strlen(rows[i].out) + 2);
        NP_CHECK_MEM(mem + 1, rows[i].out, strlen(rows[i].out));
    }
}

/* What is written is read back the same, for any bytes; what is no UTF-8 comes back as U+FFFD. */
NP_TEST(json_write, comes_back)
{
    uint64_t seed = 7;

    for (int round = 0; round < 2000; round++) {
        char text[17], mem[256], again[64];
        struct np_json json;
        struct np_json_value root;
        uint32_t len = np_test_below(&seed, 16), got;
        for (uint32_t i = 0; i < len; i++) {
            text[i] = (char)(1 + np_test_below(&seed, round % 2 ? 127 : 255));
        }
        text[len] = '\0';
        np_json_init(&json, mem, sizeof mem);
        np_json_put_text(&json, NULL, text);
        NP_CHECK(!json.is_full);
        struct np_slice written = {mem, json.len};
        NP_CHECK_INT(np_json_parse(written, &root), NP_OK);
        NP_CHECK_INT(root.text.len, json.len - 2);
        NP_CHECK_INT(np_json_text(&root, again, sizeof again, &got), NP_OK);
        if (round % 2) {
            NP_CHECK_STR(again, text);
        }
    }
}

NP_TEST(json_write, goes_back_to_a_copy)
{
    char mem[16];
    struct np_json json, mark;

    np_json_init(&json, mem, sizeof mem);
    np_json_open(&json, NULL, '[');
    np_json_put_uint(&json, NULL, 1);
    mark = json;
    np_json_put_text(&json, NULL, "much too long for this");
    NP_CHECK(json.is_full);
    json = mark;
    np_json_put_uint(&json, NULL, 2);
    np_json_close(&json, ']');
    NP_CHECK(!json.is_full && json.len == 5 && memcmp(mem, "[1,2]", 5) == 0);
}
