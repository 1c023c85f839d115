/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "core/http/json.h"
#include "tests/unit/np_test.h"

static enum np_err parse(const char *text, struct np_json_value *root)
{
    return np_json_parse(np_slice_of(text), root);
}

NP_TEST(json_read, accepts_what_is_json)
{
    static const struct {
        const char *text, *value; /* value: the text of the root */
        uint8_t kind;
    } rows[] = {
        {"{}", "{}", NP_JSON_OBJECT},
        {" \t\r\n{ } tail", "{ }", NP_JSON_OBJECT},
        {"[]x", "[]", NP_JSON_ARRAY},
        {"[ 1 , [ ] , { } , \"a\" ]", "[ 1 , [ ] , { } , \"a\" ]", NP_JSON_ARRAY},
        {"{\"a\":1,\"b\":[true,false,null]}{", "{\"a\":1,\"b\":[true,false,null]}", NP_JSON_OBJECT},
        {"\"\"", "", NP_JSON_STRING},
        {"\"a\\\"b\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"", "a\\\"b\\\\\\/\\b\\f\\n\\r\\t\\u00e9",
         NP_JSON_STRING},
        {"0", "0", NP_JSON_NUMBER},
        {"-0", "-0", NP_JSON_NUMBER},
        {"01", "0", NP_JSON_NUMBER},
        {"-12.5e+10", "-12.5e+10", NP_JSON_NUMBER},
        {"1E-2 ", "1E-2", NP_JSON_NUMBER},
        {"true", "true", NP_JSON_TRUE},
        {"falsey", "false", NP_JSON_FALSE},
        {"null", "null", NP_JSON_NULL},
        {"\"\xff\"", "\xff", NP_JSON_STRING},
    };

    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct np_json_value root;
        np_test_context("%s", rows[i].text);
        NP_CHECK_INT(parse(rows[i].text, &root), NP_OK);
        NP_CHECK_INT(root.kind, rows[i].kind);
        NP_CHECK(np_slice_is(root.text, rows[i].value));
    }
}

NP_TEST(json_read, refuses_what_is_not)
{
    static const char *const rows[] = {
        "",
        " ",
        "{",
        "}",
        "[",
        "]",
        "{]",
        "[}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "{1:2}",
        "\"",
        "\"a",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\n\"",
        "\"\x1f\"",
        "-",
        "+1",
        ".5",
        "1.",
        "1.x",
        "1e",
        "1e+",
        "tru",
        "nul",
        "fals",
        "NaN",
        "'a'",
        "{\"a\":tru}",
        "[1",
        "{\"a\":1",
        "{\"a\":[1}",
        "//",
        "{,}",
    };

    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct np_json_value root;
        np_test_context("%s", rows[i]);
        NP_CHECK_INT(parse(rows[i], &root), NP_ERR_INVALID);
    }
}

/* Every cut of a text: an error, and nothing is read behind its end. */
NP_TEST(json_read, refuses_each_cut)
{
    static const char text[] = "{\"a\":[1,-2.5e3,{\"b\":\"\\u00e9\\\\x\"}],\"c\":true,\"d\":null}";
    struct np_json_value root;

    for (uint32_t len = 0; len < sizeof text - 1; len++) {
        char *copy = malloc(len > 0 ? len : 1);
        struct np_slice slice = {copy, len};
        memcpy(copy, text, len);
        NP_CHECK_INT(np_json_parse(slice, &root), NP_ERR_INVALID);
        free(copy);
    }
    NP_CHECK_INT(parse(text, &root), NP_OK);
}

NP_TEST(json_read, depth)
{
    for (int object = 0; object < 2; object++) {
        for (uint32_t depth = NP_JSON_DEPTH_MAX - 1; depth <= NP_JSON_DEPTH_MAX + 1; depth++) {
            char text[256] = "";
            struct np_json_value root;
            for (uint32_t i = 0; i < depth; i++) {
                strcat(text, object ? "{\"a\":" : "[");
            }
            strcat(text, "1");
            for (uint32_t i = 0; i < depth; i++) {
                strcat(text, object ? "}" : "]");
            }
            NP_CHECK_INT(parse(text, &root), depth > NP_JSON_DEPTH_MAX ? NP_ERR_LIMIT : NP_OK);
        }
    }
}

NP_TEST(json_read, siblings_are_not_depth)
{
    char text[4096] = "[";
    struct np_json_value root;

    for (int i = 0; i < 500; i++) {
        strcat(text, i % 2 ? "{}," : "[[]],");
    }
    strcat(text, "0]");
    NP_CHECK_INT(parse(text, &root), NP_OK);
}

NP_TEST(json_read, finds_members)
{
    struct np_json_value root, value;
    bool flag;

    NP_CHECK_INT(
        parse("{\"URL\":\"x\",\"nope\":{\"alias\":\"inner\"},\"Alias\":\"one\",\"alias\":\"two\","
              "\"re\\u0073tart\":true,\"gone\":null}",
              &root),
        NP_OK);
    NP_CHECK(np_json_find(&root, "url", &value) && np_json_is_text(&value, "x"));
    NP_CHECK(np_json_find(&root, "alias", &value) && np_json_is_text(&value, "two"));
    NP_CHECK(np_json_find(&root, "restart", &value));
    NP_CHECK(np_json_bool(&value, &flag) == NP_OK && flag);
    NP_CHECK(np_json_find(&root, "gone", &value) && value.kind == NP_JSON_NULL);
    NP_CHECK(!np_json_find_set(&root, "gone", &value));
    NP_CHECK(np_json_find_set(&root, "ALIAS", &value));
    NP_CHECK(!np_json_find(&root, "ur", &value));
    NP_CHECK(!np_json_find(&root, "urls", &value));
    NP_CHECK(np_json_find(&root, "nope", &value) && !np_json_find(&value, "url", &value));
    NP_CHECK_INT(parse("[{\"url\":1}]", &root), NP_OK);
    NP_CHECK(!np_json_find(&root, "url", &value));
}

NP_TEST(json_read, walks)
{
    struct np_json_value root;
    struct np_json_iter it;
    uint32_t count = 0;

    NP_CHECK_INT(parse("{ \"a\" : 1 , \"b\" : [ ] ,\"c\":{\"d\":2} }", &root), NP_OK);
    for (bool more = np_json_first(&it, &root); more; more = np_json_next(&it), count++) {
        NP_CHECK(it.key.kind == NP_JSON_STRING && it.key.text.len == 1);
        NP_CHECK_INT(it.key.text.base[0], 'a' + (int)count);
        NP_CHECK(np_slice_is(it.value.text, count == 0 ? "1" : count == 1 ? "[ ]" : "{\"d\":2}"));
    }
    NP_CHECK_INT(count, 3);
    NP_CHECK(!np_json_next(&it));
    NP_CHECK_INT(parse("[\"]\",2]", &root), NP_OK);
    NP_CHECK(np_json_first(&it, &root) && it.key.kind == NP_JSON_NULL);
    NP_CHECK(np_slice_is(it.value.text, "]"));
    NP_CHECK(np_json_next(&it) && np_slice_is(it.value.text, "2") && !np_json_next(&it));
    NP_CHECK_INT(parse("[ ]", &root), NP_OK);
    NP_CHECK(!np_json_first(&it, &root));
    NP_CHECK_INT(parse("3", &root), NP_OK);
    NP_CHECK(!np_json_first(&it, &root) && !np_json_next(&it));
}

NP_TEST(json_read, unescapes)
{
    static const struct {
        const char *text, *means;
    } rows[] = {
        {"\"\"", ""},
        {"\"a\\/b\\\\c\\\"\"", "a/b\\c\""},
        {"\"\\b\\f\\n\\r\\t\"", "\b\f\n\r\t"},
        {"\"\\u0041\\u00e9\\u20ac\\uD83D\\ude00\"", "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\"\xc3\xa9\xf0\x9f\x98\x80\"", "\xc3\xa9\xf0\x9f\x98\x80"},
        {"\"\\ud83d\"", "\xef\xbf\xbd"},
        {"\"\\ude00x\"", "\xef\xbf\xbdx"},
        {"\"\\ud83d\\u0041\"", "\xef\xbf\xbd"
                               "A"},
        {"\"\\ud83d\\n\"", "\xef\xbf\xbd\n"},
        {"\"\xff\xfe\"", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\"\xc0\xaf\"", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\"\xed\xa0\x80\"", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\"\xf4\x90\x80\x80\"", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\"\xe2\x82\"", "\xef\xbf\xbd\xef\xbf\xbd"},
    };

    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct np_json_value root;
        uint32_t len, need = (uint32_t)strlen(rows[i].means);
        char out[64];
        np_test_context("%s", rows[i].text);
        NP_CHECK_INT(parse(rows[i].text, &root), NP_OK);
        NP_CHECK_INT(np_json_text(&root, out, sizeof out, &len), NP_OK);
        NP_CHECK_STR(out, rows[i].means);
        NP_CHECK_INT(len, need);
        NP_CHECK_INT(np_json_text(&root, out, need + 1, &len), NP_OK);
        NP_CHECK(np_json_is_text(&root, rows[i].means));
        NP_CHECK(!np_json_is_text(&root, "something else"));
        if (need > 0) {
            NP_CHECK_INT(np_json_text(&root, out, need, &len), NP_ERR_TOO_LONG);
            NP_CHECK_STR(out, "");
            NP_CHECK(!np_json_is_text(&root, ""));
        }
    }
}

NP_TEST(json_read, wrong_kinds)
{
    struct np_json_value root;
    char out[8];
    uint32_t len;
    uint64_t number;
    bool flag;

    NP_CHECK_INT(parse("\"a\\u0000b\"", &root), NP_OK);
    NP_CHECK_INT(np_json_text(&root, out, sizeof out, &len), NP_ERR_INVALID);
    NP_CHECK_STR(out, "");
    NP_CHECK_INT(np_json_bool(&root, &flag), NP_ERR_INVALID);
    NP_CHECK_INT(np_json_uint(&root, 9, &number), NP_ERR_INVALID);
    NP_CHECK_INT(parse("12", &root), NP_OK);
    NP_CHECK_INT(np_json_text(&root, out, sizeof out, &len), NP_ERR_INVALID);
    NP_CHECK(!np_json_is_text(&root, "12"));
    NP_CHECK(np_json_uint(&root, 12, &number) == NP_OK && number == 12);
    NP_CHECK_INT(np_json_uint(&root, 11, &number), NP_ERR_INVALID);
    static const char *const not_whole[] = {"-1", "1.0", "1e3", "123456789012345678901"};
    for (uint32_t i = 0; i < 4; i++) {
        NP_CHECK_INT(parse(not_whole[i], &root), NP_OK);
        NP_CHECK_INT(np_json_uint(&root, UINT64_MAX, &number), NP_ERR_INVALID);
    }
    NP_CHECK_INT(parse("18446744073709551615", &root), NP_OK);
    NP_CHECK(np_json_uint(&root, UINT64_MAX, &number) == NP_OK && number == UINT64_MAX);
    NP_CHECK_INT(parse("false", &root), NP_OK);
    NP_CHECK(np_json_bool(&root, &flag) == NP_OK && !flag);
}
